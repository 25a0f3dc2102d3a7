"""What all pages share: the gate, their state, caches, words and widgets. No decisions."""
