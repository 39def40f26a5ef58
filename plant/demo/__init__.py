"""The main job on one machine, and the product's promises shown by doing them."""
