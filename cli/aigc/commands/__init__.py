"""What can be typed after `aigc`, by subject."""
