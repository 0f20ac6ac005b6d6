"""The LightningModule, its recipes and its callbacks; knows neither data sets nor networks."""
