"""ImageNet-C's corruptions: 19 ways to spoil an image, each at five severities."""
