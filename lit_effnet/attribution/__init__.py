"""Class activation maps, feature maps, faithfulness scores and their figures."""
