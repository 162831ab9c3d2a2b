//! System calls that no library offers in safe form, because no well-behaved program makes them. One of the few files
//! with unsafe code.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::libc::{self, c_int, c_long};
use nix::sched::CloneFlags;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::Step;

/// A socket of any family, type and protocol.
///
/// # Errors
/// If the kernel refuses.
pub fn socket(family: c_int, kind: c_int, protocol: c_int) -> io::Result<Socket> {
    Socket::new(Domain::from(family), Type::from(kind), Some(Protocol::from(protocol)))
}

/// An address of any family, from the bytes of its structure, the family included.
///
/// # Errors
/// If it is longer than any address.
pub fn address(bytes: &[u8]) -> io::Result<SockAddr> {
    // SAFETY: `storage` is zeroed and as large as any address; at most that much is written, and its length is set.
    #[expect(unsafe_code, reason = "socket2 takes addresses of other families only so")]
    let made = unsafe {
        SockAddr::try_init(|storage, length| {
            if bytes.len() > size_of_val(&*storage) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            storage.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            *length = bytes.len() as libc::socklen_t;
            Ok(())
        })
    };
    made.map(|((), address)| address)
}

/// Sends a frame as it is through the device with this index.
///
/// # Errors
/// If the kernel refuses.
pub fn send_frame(device: u32, frame: &[u8]) -> io::Result<usize> {
    let socket = socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
    // `struct sockaddr_ll` (packet(7)): family, protocol, index, hardware type, packet type, length, address.
    let mut link = Vec::from((libc::AF_PACKET as u16).to_ne_bytes());
    link.extend([0, 3]);
    link.extend(device.to_ne_bytes());
    link.extend([0, 0, 0, 6]);
    link.extend(&frame[..6]);
    link.extend([0, 0]);
    socket.send_to(frame, &address(&link)?)
}

/// A system call by its number, with numbers for arguments: none may be taken for an address.
///
/// # Errors
/// The kernel's.
pub fn call(number: c_long, arguments: [u32; 4]) -> io::Result<c_long> {
    let [a, b, c, d] = arguments.map(u64::from);
    // SAFETY: the numbers are far below any mapped address; a call that takes one for an address fails with EFAULT.
    #[expect(unsafe_code, reason = "libc has no safe form of it")]
    let result = unsafe { libc::syscall(number, a, b, c, d, 0_u64, 0_u64) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A descriptor of a process (pidfd_open(2), Linux 5.3).
///
/// # Errors
/// If there is no such process, or the kernel refuses.
pub fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    adopt(call(libc::SYS_pidfd_open, [pid.unsigned_abs(), 0, 0, 0])?)
}

/// A descriptor as an argument of [`call`].
#[must_use]
pub fn number(fd: &OwnedFd) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

/// Makes a process with these flags, which ends at once.
///
/// # Errors
/// If the kernel refuses.
pub fn clone_process(flags: CloneFlags) -> io::Result<()> {
    let flags = flags.bits().unsigned_abs() | libc::SIGCHLD.unsigned_abs();
    if call(libc::SYS_clone, [flags, 0, 0, 0])? == 0 {
        // SAFETY: this is the new process, a copy of this one; nothing of the copy is used any more.
        #[expect(unsafe_code, reason = "what runs at the end of a process must not run twice")]
        unsafe {
            libc::_exit(0)
        }
    }
    Ok(())
}

/// The descriptor that a call has returned.
///
/// # Errors
/// If it is no descriptor of this process.
pub fn adopt(raw: c_long) -> io::Result<OwnedFd> {
    let raw = c_int::try_from(raw).map_err(io::Error::other)?;
    nix::fcntl::fcntl(borrow(raw), nix::fcntl::FcntlArg::F_GETFD)?;
    // SAFETY: the kernel has just made it for this call, and it is open.
    #[expect(unsafe_code, reason = "the kernel delivers numbers")]
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

fn borrow(raw: c_int) -> BorrowedFd<'static> {
    // SAFETY: used for one call only, which says so if it is not open; -1 is excluded by `max`.
    #[expect(unsafe_code, reason = "the kernel delivers numbers")]
    unsafe {
        BorrowedFd::borrow_raw(raw.max(0))
    }
}

nix::ioctl_write_ptr_bad!(
    /// Makes a device of the one whose descriptor it is; `struct ifreq`: a name of 16 bytes, flags, the rest unused.
    tunsetiff,
    libc::TUNSETIFF,
    [u8; 40]
);

/// Makes a TUN device, which goes with its descriptor.
///
/// # Errors
/// If the kernel refuses.
pub fn make_tun(tun: &File) -> io::Result<()> {
    let mut request = [0; 40];
    request[..6].copy_from_slice(b"bypass");
    request[16..18].copy_from_slice(&(libc::IFF_TUN as u16).to_ne_bytes());
    // SAFETY: the pointer is to a whole request that lives for the length of the call.
    #[expect(unsafe_code, reason = "nix makes unsafe functions of ioctl requests")]
    unsafe { tunsetiff(tun.as_raw_fd(), &raw const request) }?;
    Ok(())
}

/// Gives a program capabilities that it has whoever starts it: `security.capability`, `struct vfs_cap_data` of version 2
/// (linux/capability.h) with these bits permitted and effective.
///
/// # Errors
/// If the file system has no such attribute, or the kernel refuses.
pub fn give_capabilities(program: &Path, bits: u32) -> io::Result<()> {
    let path = CString::new(program.as_os_str().as_bytes()).map_err(io::Error::other)?;
    let value = [0x0200_0001, bits, 0, 0, 0].map(u32::to_le_bytes);
    let value = value.as_flattened();
    // SAFETY: both names end with NUL, the value is as long as is said, and all live for the length of the call.
    #[expect(unsafe_code, reason = "libc has no safe form of it")]
    let result = unsafe {
        libc::setxattr(path.as_ptr(), c"security.capability".as_ptr(), value.as_ptr().cast(), value.len(), 0)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

nix::ioctl_write_ptr_bad!(
    /// ioctl_tty(2): types a character into the terminal, as if the user had.
    tiocsti,
    libc::TIOCSTI,
    u8
);

nix::ioctl_write_ptr_bad!(
    /// The same request for the kernel, which reads 32 bits, and another for a filter that reads more (CVE-2019-7303).
    tiocsti_wide,
    libc::TIOCSTI | 1 << 32,
    u8
);

/// Types a character into the terminal that standard input is.
///
/// # Errors
/// If the kernel refuses.
pub fn type_into_terminal(character: u8) -> io::Result<()> {
    // SAFETY: the pointer is to a byte that lives for the length of the call.
    #[expect(unsafe_code, reason = "nix makes unsafe functions of ioctl requests")]
    unsafe { tiocsti(io::stdin().as_raw_fd(), &raw const character) }?;
    Ok(())
}

/// The same by a number of 64 bits.
///
/// # Errors
/// If the kernel refuses.
pub fn type_into_terminal_widely(character: u8) -> io::Result<()> {
    // SAFETY: the pointer is to a byte that lives for the length of the call.
    #[expect(unsafe_code, reason = "nix makes unsafe functions of ioctl requests")]
    unsafe { tiocsti_wide(io::stdin().as_raw_fd(), &raw const character) }?;
    Ok(())
}

/// Tries getpid(2) through the gate for 32-bit programs, or by its number in the x32 set of calls. A filter may end the
/// process.
#[cfg(target_arch = "x86_64")]
pub fn foreign_call(what: &str, x32: bool) -> Step {
    const GETPID32: u64 = 20;
    const X32: c_long = 0x4000_0000;
    if x32 {
        return Step::of(what, call(X32 | libc::SYS_getpid, [0; 4]));
    }
    let mut result = GETPID32;
    // SAFETY: the call takes no argument and writes nothing but the register; the gate keeps the others' lower halves.
    #[expect(unsafe_code, reason = "there is no other way through this gate")]
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") result, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    let result = result as i32;
    Step::of(what, if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) })
}

/// The other gates are this architecture's alone.
#[cfg(not(target_arch = "x86_64"))]
pub fn foreign_call(what: &str, _x32: bool) -> Step {
    Step::absent(what, "only x86-64 has it")
}
