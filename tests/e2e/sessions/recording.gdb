# The guest of make_recording.c: eight exits a round, at 0xffffffff80000100 to ...700.
target remote ADDRESS
# Registers: the exit itself among them; what is not known is unavailable.
info registers rip rax rsp cs cr3 efer eflags
info registers exit_id exit_reason exit_qualification exit_time_ns
info registers resume_rip resume_rax
info registers dr0 exit_gpa
print $st0
print $xmm0.uint128
info threads
# Memory, through the guest's page tables; what they do not map cannot be accessed.
x/2i $rip
x/4xb $rip
x/2gx 0xffffffff80001030
x/xb 0xffffffff80005000
x/8xb 0xffffffff80002ffc
x/xb 0
# Both directions, by exit; the fourth of each round is the host's and hidden.
stepi
stepi
stepi
print $exit_id
reverse-stepi
print $exit_id
# The ends of history.
reverse-continue
reverse-stepi
continue
stepi
print $exit_id
# Breakpoints, and one under the pc, which does not count backward.
break *0xffffffff80000600
reverse-continue
reverse-continue
print $exit_id
continue
print $exit_id
delete
hbreak *0xffffffff80000700
reverse-continue
print $exit_id
delete
# Conditions, in both directions: on the exit, on memory, on what is not known.
break *0xffffffff80000200 if $exit_id > 20 && $exit_id < 30 && *(long *) 0xffffffff80001010 == 25
reverse-continue
print $exit_id
reverse-continue
continue
print $exit_id
delete
tbreak *0xffffffff80000300 if $dr0 == 1
continue
print $exit_id
# A breakpoint that prints and does not stop.
set dprintf-style agent
dprintf *0xffffffff80000700,"exit %d: rax %lx\n",$exit_id,$rax
condition $bpnum $exit_id < 50
continue
reverse-continue
delete
# A watchpoint: after the change forward, before it backward.
watch *(long *) 0xffffffff80001010
continue
print $exit_id
continue
reverse-continue
print $exit_id
reverse-continue
reverse-continue
delete
rwatch *(long *) 0xffffffff80001010
continue
delete
# Searching memory.
find /b 0xffffffff80000000, +0x800, 0x0f, 0x01, 0xc1
find /w 0xffffffff80001000, +0x100, 0xdeadbeef
# The monitor; a jump behind gdb's back needs a flush.
monitor help check
monitor goto 22
maintenance flush register-cache
print $exit_id
x/gx 0xffffffff80001010
monitor where
monitor next reason=HLT
monitor prev rip=ffffffff80000200
monitor next rax=0x15
monitor prev rip=ffffffff80000200
monitor exits 20 3
monitor checkpoint here
monitor goto first
monitor restart 1
monitor checkpoints
monitor sql SELECT count(*) AS n FROM exits WHERE reason = 'VMCALL'
monitor goto 4711
monitor nonsense
# Nothing can be changed.
set var $rax = 5
set var *(char *) 0xffffffff80001000 = 1
print $rax
# Another time, at the same place.
detach
target remote ADDRESS
print $exit_id
stepi
disconnect
target extended-remote ADDRESS
print $exit_id
set remote exec-file guest
starti
print $exit_id
break *0xffffffff80000600
run
print $exit_id
kill
