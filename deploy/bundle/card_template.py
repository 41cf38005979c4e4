"""The text of a model card. Markup is here only: values are plain text, made safe for Markdown as they are put in."""

TEMPLATE = """\
# {{ network }}

A bundle of condmix {{ condmix_version }}, {{ created }}:
{{ files | length }} model file{{ "s" if files | length > 1 }} of one network, inputs, and what is expected of them.

| file | format | precision | size | largest difference from PyTorch | {{ kept }} |
|---|---|---|---|---|---|
{% for name, format, precision, size, difference, agreed in files %}
| {{ name }} | {{ format }} | {{ precision }} | {{ size }} | {{ difference }} | {{ agreed }} |
{% endfor %}

{{ tried_on }} What was expected:

{% for names, source in expected %}
- {{ names }}: {{ source }}
{% endfor %}

Agreement says that a file computes what the network computes. It says nothing about how good the network is.

## Network

{% for label, value in network_facts %}
- {{ label }}: {{ value }}
{% endfor %}

## Input

{% if preprocessing %}
A picture, 8 bits a channel, becomes an input in these steps:

{% for line in preprocessing %}
{{ loop.index }}. {{ line }}
{% endfor %}
{% else %}
How pictures were prepared is not said: ask whoever trained the network.
{% endif %}

| file | input | shape | type | order of axes |
|---|---|---|---|---|
{% for row in inputs %}
| {{ row.file }} | {{ row.name }} | {{ row.shape }} | {{ row.dtype }} | {{ row.layout }} |
{% endfor %}

## Output

{% for line in outputs %}
- {{ line }}
{% endfor %}
{% if routing %}

## Routing

{{ routing }}
{% if gates %}

| gates of block | strongest weight of each expert on the calibration images |
|---|---|
{% for block, strongest in gates %}
| {{ block }} | {{ strongest }} |
{% endfor %}
{% endif %}
{% endif %}
{% if int8 %}

## int8

{% for line in int8 %}
- {{ line }}
{% endfor %}
{% endif %}

## How to run

On the machine that is to run it; numpy and one runtime suffice, PyTorch is not needed:

```sh
condmix verify {{ archive }}
unzip {{ archive }} -d model
```

```python
{% for line in example %}
{{ line }}
{% endfor %}
```

## What this card does not say

- Speed: nothing in this bundle was timed. `condmix bench` does that on the machine that counts.
- Phones: nothing in this bundle was run on one when it was made.
- Other processors: int8 files may round differently there. `condmix verify` tells whether they still agree.
- Who made it: hashes tell that nothing was damaged, not who wrote them. Compare the digest that `condmix verify`
  prints with the one that you were told.
"""
