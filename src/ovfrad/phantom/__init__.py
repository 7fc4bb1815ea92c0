"""Synthetic multi-centre CT of osteoporotic vertebral fractures with known truth; it tests software, not patients."""
