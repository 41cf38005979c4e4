"""Programs that torch saved whole: torch.export's .pt2 and TorchScript. They come without any class of the network."""
