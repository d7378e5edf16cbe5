"""What workers that died had in their hands."""
