"""Deep-learning radiomics of osteoporotic vertebral fractures (OVF) on CT. Research use only, not a medical device."""

__version__ = "0.1.0"
