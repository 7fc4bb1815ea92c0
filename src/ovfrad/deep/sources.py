"""Where network weights can be had, in words; needs no torch."""

WHERE = """\
ovfrad ships and downloads no network weights. Two sets fit; fetch one yourself and check that its terms allow your use.

RadImageNet, ResNet-50 for PyTorch (ResNet50.pt): trained on 1.35 million CT, MR and ultrasound images.
  https://github.com/BMEII-AI/RadImageNet links to the files; https://www.radimagenet.com takes requests for the data.
  The repository is under the MIT licence; whether that covers the files it links to and the data is not said there.
  Cite Mei X, Liu Z, Robson PM, et al. Radiology: Artificial Intelligence 2022;4(5):e210315.
  Conversions from the Keras weights, whose convolutions have a bias, are read as the ResNet v1 that they are.

ImageNet, torchvision ResNet50_Weights.IMAGENET1K_V1 or IMAGENET1K_V2: trained on 1.28 million photographs.
  https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet50.html
  torchvision's code is under BSD-3-Clause; its makers say that weights may carry terms of the data they were
  trained on, and that the user decides whether the use is permitted. ImageNet's own terms: non-commercial research.
  Cite He K, Zhang X, Ren S, Sun J. CVPR 2016, 770-778.

Then: ovfrad weights convert FILE.pth      (pickled PyTorch file -> .safetensors, in a process of its own)
      ovfrad weights show FILE.safetensors (layout, tensors, sha256)
and in study.yaml: deep: {arms: {radimagenet: {weights: FILE.safetensors}}}
                   with `normalise: own` for the preprocessing of the weights' makers instead of the paper's
Without a file the network is random (seeded); every table and figure says so.
"""
