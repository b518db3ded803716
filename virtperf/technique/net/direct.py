"""Direct access: a NIC, or a virtual function of one, belongs to the guest, as `io.direct` says.

Virtual functions share the line of the NIC, which serves who comes first; its switch hands what
comes in to the function whose address it bears. What a function sends may be limited.
"""

from virtperf.technique.costs import Costs
from virtperf.technique.io.direct import irq
from virtperf.technique.net.native import own_driver
from virtperf.technique.net.plan import Plan, Port


def passthrough(port: Port, costs: Costs) -> Plan:
    """Return the plan of a whole NIC that is given to one guest."""
    return own_driver(port, costs, irq(port.dma.posted, costs))


def sriov(port: Port, costs: Costs) -> Plan:
    """Return the plan of a virtual function of a NIC."""
    return own_driver(port, costs, irq(port.dma.posted, costs))
