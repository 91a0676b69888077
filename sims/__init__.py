"""The simulated building: shoppers, devices and faults go in, messages on the wire and the truth of the run come out.

Nothing here knows the pipeline. The only package of ``smartstore`` that may be imported is ``smartstore.wire``;
``sims.lab`` and ``sims.cli`` alone put the product and the building together.
"""
