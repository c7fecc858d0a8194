"""guardapp protects what machine-learning teams hand around: datasets and models."""

__version__ = "0.1.0"
