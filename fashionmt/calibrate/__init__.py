"""`task=calibrate`: a bundle's confidences and thresholds for another catalogue, of which some items are labelled.

What was fitted to the validation items of training holds for items like them. Of titles that say less, or of a later
year's goods, fewer answers are right, and nothing but labels of such items can tell how many.
"""

from fashionmt.calibrate.run import calibrate_bundle

__all__ = ["calibrate_bundle"]
