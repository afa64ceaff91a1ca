# Both ways by instruction; what is not there is unavailable.
info registers rip rax cs steps
print $eflags
x/2xb 0x2000
x/xb 0x2080
x/4xb 0x207e
stepi
stepi
stepi
print $rax
reverse-stepi
print $rax
# The ends of history.
reverse-stepi
reverse-stepi
reverse-stepi
reverse-continue
continue
stepi
print $rdx
# Breakpoints, backward and forward; the one under the pc does not count backward.
break *0x1009
reverse-continue
print $rax
reverse-continue
print $rax
reverse-continue
print $rax
reverse-continue
continue
continue
print $steps
# Consecutive breakpoints, each hit once in each direction.
break *0x100c
continue
continue
continue
continue
reverse-continue
reverse-continue
reverse-continue
delete
hbreak *0x1015
continue
delete
# A watchpoint: after the write forward, before it backward.
reverse-continue
watch *(char *) 0x2010
continue
print $rip
continue
continue
continue
reverse-continue
print $rip
reverse-continue
reverse-continue
reverse-continue
delete
rwatch *(char *) 0x2010
continue
delete
# Conditions, in both directions; what they need may be unavailable, and then it is gdb's to say.
monitor goto 0
maintenance flush register-cache
break *0x1009 if $rax == 10 && *(char *) 0x2010 == 5
continue
print $rax
continue
reverse-continue
print $rax
reverse-continue
delete
break *0x1018 if $rdx > 40
continue
print $rdx
continue
print $rdx
reverse-continue
reverse-continue
delete
break *0x1009 if *(char *) 0x3000 == 5
continue
delete
# Breakpoints that print and do not stop, in both directions.
set dprintf-style agent
dprintf *0x1009,"store: rax %d, %05x, \"%s\"\n",$rax,$rcx,(char *) 0x2010
dprintf *0x1018,"loop %d\n",$rdx
condition $bpnum $rdx > 97
monitor goto 0
maintenance flush register-cache
continue
reverse-continue
delete
# Bigger moves.
advance *0x1015
set exec-direction reverse
stepi
set exec-direction forward
tbreak *0x1012
reverse-continue
find 0x1000, +36, (char) 4, (char) 1
find 0x1000, +36, (char) 0x77
info threads
# The monitor; a jump behind gdb's back needs a flush.
monitor help
monitor goto 4
maintenance flush register-cache
print $steps
monitor goto nowhere
monitor gone
monitor where
# Nothing can be changed.
set var $rax = 1
set var *(char *) 0x2000 = 1
print $rax
detach
