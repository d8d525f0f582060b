"""Numbers of the system calls that a worker may use, or that fail with an error number that programs expect.

From the kernel's headers (asm/unistd_64.h for x86-64, asm-generic/unistd.h for arm64), as name:x86-64:arm64. A dash
means that the machine does not have the call.
"""

import platform

_TABLE = """
    read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 preadv:295:69 pwritev:296:70
    preadv2:327:286 pwritev2:328:287 close:3:57 close_range:436:436 lseek:8:62 open:2:- openat:257:56
    openat2:437:437 creat:85:- dup:32:23 dup2:33:- dup3:292:24 pipe:22:- pipe2:293:59 fcntl:72:25 flock:73:32
    fsync:74:82 fdatasync:75:83 sync_file_range:277:84 stat:4:- fstat:5:80 lstat:6:- newfstatat:262:79
    statx:332:291 access:21:- faccessat:269:48 faccessat2:439:439 readlink:89:- readlinkat:267:78
    getdents:78:- getdents64:217:61 getcwd:79:17 chdir:80:49 fchdir:81:50 mkdir:83:- mkdirat:258:34 rmdir:84:-
    unlink:87:- unlinkat:263:35 rename:82:- renameat:264:38 renameat2:316:276 link:86:- linkat:265:37
    symlink:88:- symlinkat:266:36 truncate:76:45 ftruncate:77:46 fallocate:285:47 fadvise64:221:223
    readahead:187:213 umask:95:166 statfs:137:43 fstatfs:138:44 sendfile:40:71
    copy_file_range:326:285 splice:275:76 tee:276:77 mmap:9:222 munmap:11:215 mremap:25:216 mprotect:10:226
    msync:26:227 madvise:28:233 mincore:27:232 brk:12:214 mlock:149:228 munlock:150:229 mlock2:325:284
    membarrier:324:283 futex:202:98 futex_waitv:449:449 set_robust_list:273:99 get_robust_list:274:100
    rseq:334:293 set_tid_address:218:96 select:23:- pselect6:270:72 poll:7:- ppoll:271:73 epoll_create:213:-
    epoll_create1:291:20 epoll_ctl:233:21 epoll_wait:232:- epoll_pwait:281:22 epoll_pwait2:441:441
    eventfd:284:- eventfd2:290:19 timerfd_create:283:85 timerfd_settime:286:86 timerfd_gettime:287:87
    nanosleep:35:101 clock_nanosleep:230:115 clock_gettime:228:113 clock_getres:229:114 gettimeofday:96:169
    time:201:- times:100:153 getitimer:36:102 setitimer:38:103 alarm:37:- pause:34:- timer_create:222:107
    timer_settime:223:110 timer_gettime:224:108 timer_getoverrun:225:109 timer_delete:226:111
    rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139 rt_sigpending:127:136
    rt_sigtimedwait:128:137 rt_sigsuspend:130:133 sigaltstack:131:132 signalfd:282:- signalfd4:289:74
    restart_syscall:219:128 getpid:39:172 getppid:110:173 gettid:186:178 getpgrp:111:- getpgid:121:155
    getsid:124:156 getuid:102:174 geteuid:107:175 getgid:104:176 getegid:108:177 getresuid:118:148
    getresgid:120:150 getgroups:115:158 getrusage:98:165 getrlimit:97:163 sysinfo:99:179 uname:63:160
    sched_yield:24:124 sched_getaffinity:204:123 sched_getparam:143:121 sched_getscheduler:145:120
    sched_get_priority_max:146:125 sched_get_priority_min:147:126 getpriority:140:141 getcpu:309:168
    capget:125:90 getrandom:318:278 exit:60:93 exit_group:231:94 arch_prctl:158:- wait4:61:260 waitid:247:95
    recvfrom:45:207 recvmsg:47:212 recvmmsg:299:243 sendto:44:206 sendmsg:46:211 sendmmsg:307:269
    shutdown:48:210 getsockname:51:204 getpeername:52:205 getsockopt:55:209 setsockopt:54:208 execve:59:221
    clone:56:220 clone3:435:435 fork:57:- vfork:58:- kill:62:129 tgkill:234:131 prctl:157:167
    prlimit64:302:261 ioctl:16:29 socket:41:198 socketpair:53:199 connect:42:203 bind:49:200 listen:50:201
    accept:43:202 accept4:288:242 sched_setaffinity:203:122 setpriority:141:140 mknod:133:- mknodat:259:33
    chmod:90:- fchmod:91:52 fchmodat:268:53 fchmodat2:452:452 utime:132:- utimes:235:- futimesat:261:-
    utimensat:280:88 chown:92:- fchown:93:55 lchown:94:- fchownat:260:54 setxattr:188:5 lsetxattr:189:6
    fsetxattr:190:7 getxattr:191:8 lgetxattr:192:9 fgetxattr:193:10 listxattr:194:11 llistxattr:195:12
    landlock_create_ruleset:444:444 landlock_add_rule:445:445 landlock_restrict_self:446:446
    flistxattr:196:13 removexattr:197:14 lremovexattr:198:15 fremovexattr:199:16
"""
#: AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64: the machine's number in a filter's data.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMNS = {"x86_64": 1, "aarch64": 2}


class UnknownMachine(Exception):
    """The numbers of this machine's system calls are not known."""


def architecture() -> int:
    """Return the kernel's number of this machine. Raises UnknownMachine."""
    try:
        return _ARCHITECTURES[platform.machine()]
    except KeyError:
        raise UnknownMachine(f"no system calls are known for {platform.machine()}") from None


def numbers() -> dict[str, int]:
    """Return the numbers of this machine's system calls by name. Raises UnknownMachine."""
    if platform.machine() not in _COLUMNS:
        raise UnknownMachine(f"no system calls are known for {platform.machine()}")
    column = _COLUMNS[platform.machine()]
    entries = (entry.split(":") for entry in _TABLE.split())
    return {entry[0]: int(entry[column]) for entry in entries if entry[column] != "-"}
