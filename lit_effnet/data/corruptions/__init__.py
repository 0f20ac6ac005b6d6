"""ImageNet-C's corruptions: 19 corruptions of an image, each at five severities."""
