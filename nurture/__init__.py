"""Self-hosted e-mail nurture and newsletters that sales and marketing both trust."""

__version__ = "0.1.0"
