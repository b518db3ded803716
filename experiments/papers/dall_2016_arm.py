"""Dall et al. 2016, tables II and V: hypercalls on Arm, and TCP_RR taken apart."""

from reproducing import reproduce

if __name__ == "__main__":
    reproduce(__file__, "Dall et al. 2016: KVM and Xen on Arm", "dall16.")
