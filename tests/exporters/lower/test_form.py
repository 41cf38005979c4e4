"""Every form is called after its file, can be asked for, and says in words when it does not serve."""

from __future__ import annotations

import pytest

from condmix.exporters.lower.choose import CONDCONV_FORMS, MIXCONV_FORMS
from condmix.exporters.lower.form import CondConvForm, MixConvForm
from condmix.exporters.options import CONDCONV_CHOICES, MIXCONV_CHOICES


def test_the_options_offer_exactly_the_forms_there_are() -> None:
    # `blocked` is of a whole file: condmix.exporters.machine.
    assert ("auto", *(form.name for form in CONDCONV_FORMS), "blocked") == CONDCONV_CHOICES
    assert ("auto", *(form.name for form in MIXCONV_FORMS)) == MIXCONV_CHOICES


@pytest.mark.parametrize("form", [*CONDCONV_FORMS, *MIXCONV_FORMS], ids=lambda form: form.name)
def test_a_form_lives_in_the_file_of_its_name(form: CondConvForm | MixConvForm) -> None:
    construct = "condconv" if isinstance(form, CondConvForm) else "mixconv"
    home = f"condmix.exporters.lower.{construct}_{form.name}"
    assert (form.build.__module__, form.refuse.__module__) == (home, home)
