"""Random networks of CondConv, MixConv and what stands around them, in random writing styles: plans, modules, proof."""
