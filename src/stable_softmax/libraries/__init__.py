"""What others do: SciPy, PyTorch and MXNet, side by side with this package."""
