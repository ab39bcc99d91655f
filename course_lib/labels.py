"""What the numbers in a mask mean, and the colours that classes have: written once, for all that follows."""

IGNORE = 255  # the label of a pixel that nobody labelled: no loss, no score
TRIMAP = ("pet", "background", "border")  # Oxford-IIIT Pet's 1, 2, 3 less one
SEMANTIC = ("background", "mammal", "bird", "fish", "arthropod", "frog or lizard")
PETS = ("background", "cat", "dog")  # the semantic classes of Oxford-IIIT Pet

# Okabe & Ito (2008), https://jfly.uni-koeln.de/color/: eight colours that stay apart for colour-blind readers.
# Black comes first, for the background: it dims a photograph, and lets the other classes speak.
HEX = ("000000", "E69F00", "56B4E9", "009E73", "F0E442", "0072B2", "D55E00", "CC79A7")
PALETTE = tuple(tuple(int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)) for code in HEX)
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = PALETTE
