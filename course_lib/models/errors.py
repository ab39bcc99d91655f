"""What the networks say to a wrong argument or image: one sentence, before the convolutions say it in three."""


def check_counts(**values):
    """ValueError unless each value is a whole number of at least 1."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")


def check_choice(name, value, choices):
    """ValueError unless the value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(str, choices))}, not {value!r}.")


def check_images(x, in_channels):
    """ValueError unless x is a batch of floating-point images (B, in_channels, H, W)."""
    if x.ndim != 4 or x.shape[1] != in_channels:
        hint = "; image[None] makes a batch of one image" if x.ndim == 3 else ""
        raise ValueError(f"The network takes images as (B, {in_channels}, H, W), not {tuple(x.shape)}{hint}.")
    if not x.is_floating_point():
        raise ValueError(f"The network takes floating-point images, not {x.dtype}; image.float() / 255 makes them so.")


def check_batch(net, x, least):
    """ValueError where a net in training gets one image that leaves one cell, at stride `least`, to normalise by."""
    if net.training and x.shape[0] == 1 and max(x.shape[-2:]) <= least:
        raise ValueError(
            f"One image of {x.shape[-2]}x{x.shape[-1]} leaves one cell in the coarsest map, too few for "
            "batch normalisation to train on; use a larger batch or image, or net.eval()."
        )


def check_single(net, x):
    """ValueError where a net that averages over the whole image gets a batch of one to train on."""
    if net.training and x.shape[0] == 1:
        raise ValueError(
            "A batch of one cannot be trained: the average over the image leaves batch normalisation one "
            "value a channel; use a larger batch, or net.eval()."
        )
