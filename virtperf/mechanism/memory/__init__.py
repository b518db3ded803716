"""Memory mechanisms: TLBs, walks, page tables and the techniques that virtualize them. No clock."""
