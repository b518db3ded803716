"""The compiled memory hardware: TLBs and page walks over plain arrays, without a clock.

It answers what `virtperf.mechanism.memory` answers, access by access, at some hundred times the
speed; that package is where one reads how the hardware behaves.
"""
