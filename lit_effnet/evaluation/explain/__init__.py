"""What a network looks at: class activation maps, how good they are, and its feature maps."""
