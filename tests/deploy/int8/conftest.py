"""A small network that behaves like a trained one, and images for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from condmix.models import checkpoint, digits, zoo
from condmix.models.settling import settled_in_one_pass

SETTINGS = {"width": 0.5, "experts": 2}


@pytest.fixture(scope="session")
def int8_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CondConv network with settled norms in a checkpoint of ours. Do not write beside it."""
    images = torch.from_numpy(digits.load().train_images[:48])
    # Routing stays as it was initialised: spread wide, an untrained network turns single steps into other kernels.
    module = settled_in_one_pass(
        lambda: zoo.build("condconv_digits", SETTINGS), seed=1, images=images, routers=lambda _network: ()
    )
    path = tmp_path_factory.mktemp("int8") / "net.pt"
    checkpoint.save(
        path,
        module,
        architecture="condconv_digits",
        settings=SETTINGS,
        input_size=(1, 32, 32),
        preprocessing=digits.PREPROCESSING,
        class_names=digits.CLASS_NAMES,
    )
    return path


@pytest.fixture(scope="session")
def images_npy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty digits, preprocessed."""
    path = tmp_path_factory.mktemp("images") / "digits.npy"
    np.save(path, digits.load().train_images[:40])
    return path


@pytest.fixture(scope="session")
def labelled_npz(int8_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits with the class that the float network itself names: its accuracy is 1."""
    from condmix.deploy.loading import Loading, load_network

    network = load_network(Loading(model=int8_weights))
    images = digits.load().held_out_images[:40]
    with torch.no_grad():
        labels = network.module(torch.from_numpy(images)).argmax(1).numpy()
    path = tmp_path_factory.mktemp("labelled") / "own.npz"
    np.savez(path, images=images, labels=labels)
    return path
