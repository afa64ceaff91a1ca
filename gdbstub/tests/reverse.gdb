# What gdb builds on steps and continues in both directions, at the level of source lines. The
# scenarios are those of gdb's own tests of reverse execution that have a meaning for a machine.
compare-sections .text
# step and reverse-step by line, over a loop that is one line; both ends.
step
step
reverse-step
reverse-step
reverse-step
tbreak *0x1018
continue
next
print $steps
reverse-next
print $steps
step
# Into a function and out of it again, in both directions.
step
step
step
backtrace
step
step
reverse-step
backtrace
reverse-step
reverse-step
reverse-step
reverse-step
backtrace
# next and reverse-next pass over calls.
next
print $rax
reverse-next
print $rax
# finish and reverse-finish, from the middle, and from a function that has just been entered.
break leaf
continue
finish
reverse-finish
backtrace
up
finish
print $rax
# A breakpoint in the function that is passed over, both ways.
reverse-next
finish
next
next
delete
tbreak 57
reverse-continue
break leaf
next
delete
# until and advance, both ways.
tbreak 50
reverse-continue
print $rcx
tbreak 50
reverse-continue
tbreak 53
continue
until
until
print $rcx
advance 58
set exec-direction reverse
until 55
print $steps
advance 51
print $steps
until 49
print $steps
set exec-direction forward
print $steps
# Breakpoints one after the other, in the order of the direction.
break 58
break 59
continue
continue
reverse-continue
reverse-continue
delete
# Watchpoints: a location that several lines write, and a register that is no such thing.
watch *(unsigned char *) 0x2012
continue
continue
continue
continue
reverse-continue
reverse-continue
reverse-continue
delete
# A watched stack slot is the return address that a call writes.
watch *(long *) 0x2068
continue
delete
# Jumps over ends: many steps at once stop where history does.
reverse-continue
stepi 334
print $steps
reverse-stepi 334
print $steps
# Machine state: what is undone is as it was.
tbreak 61
continue
x/4xb 0x2010
reverse-continue
x/4xb 0x2010
set exec-direction reverse
stepi
set exec-direction forward
stepi
print $steps
detach
