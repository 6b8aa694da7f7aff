"""From a model's token space to items that exist: item codes."""
