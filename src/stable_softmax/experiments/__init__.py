"""What happens if: training runs, recovery, low precision."""
