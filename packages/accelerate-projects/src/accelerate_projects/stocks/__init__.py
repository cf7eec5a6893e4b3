"""accelerate-stocks: forecasts of daily prices, with news, by recurrent networks in Hugging Face Accelerate."""
