# Why did the guest exit here, and how did it get here?
rewind goto @START@
rewind where
backtrace -frame-info short-location 21
# Three exits forward, three back: the registers are what they were.
set $rip_before = $rip
set $rsp_before = $rsp
set $rax_before = $rax
set $rcx_before = $rcx
stepi
stepi
stepi
reverse-stepi
reverse-stepi
reverse-stepi
print $rip == $rip_before && $rsp == $rsp_before && $rax == $rax_before && $rcx == $rcx_before
# Backward to a breakpoint: the CPUID before.
hbreak *@CPUID@
reverse-continue
backtrace -frame-info short-location 3
delete
# Where the recording begins.
rewind goto 3
reverse-continue
