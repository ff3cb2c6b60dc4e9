"""The one door to language models: `door.ModelDoor`, over providers that satisfy `provider.Provider`."""
