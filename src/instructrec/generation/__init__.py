"""From a model's token space to items that exist: item codes, the trie of what is allowed, and the search over it."""
