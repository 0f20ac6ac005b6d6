"""The LightningModule, its recipe and its record; knows neither data sets nor networks."""
