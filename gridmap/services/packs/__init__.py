"""Meeting packs: the district on paper, slides, pictures, in a single page that needs no network, and as tables."""
