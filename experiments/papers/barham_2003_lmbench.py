"""Barham et al. 2003, tables 3 to 5 and figure 3: lmbench, a build and SPEC INT on Xen."""

from reproducing import reproduce

if __name__ == "__main__":
    reproduce(__file__, "Barham et al. 2003: a ported guest on Xen, a Xeon of 2.4 GHz", "barham03.")
