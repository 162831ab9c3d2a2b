//! The programs of one session: loaded, configured, attached. They end with the value that holds them, and at the
//! latest with the gateway's namespace: links are not pinned.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use agent_common::maps::{self, Config, PortAction};
use agent_common::owner::{LAYOUT, Layout};
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, MapData, MapError, SockMap};
use aya::programs::tc::{NlOptions, TcAttachOptions, qdisc_add_clsact};
use aya::programs::{CgroupAttachMode, CgroupSockAddr, LinkOrder, SchedClassifier, SkLookup, SockOps, TcAttachType};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::chroot;

use super::Error;
use super::verify::verify;

/// Two programs at the gateway's end of the veth.
const CLASSIFIERS: [(&str, TcAttachType); 2] =
    [("client_in", TcAttachType::Ingress), ("client_out", TcAttachType::Egress)];
const STEER: &str = "steer";
/// Programs that note who connects or sends, and one that gives the note to the connection.
const CALLERS: [&str; 4] = ["connect4", "connect6", "sendmsg4", "sendmsg6"];
const CONNECTED: &str = "connected";

/// A network that the kernel refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// IPv4.
    V4(Ipv4Addr, u8),
    /// IPv6.
    V6(Ipv6Addr, u8),
}

/// How a classifier is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// tcx, from kernel 6.6 on.
    Tcx,
    /// A clsact qdisc and filters.
    Clsact,
}

/// The loaded programs and their maps.
pub struct Dataplane {
    ebpf: Ebpf,
}

impl Dataplane {
    /// Loads and verifies the programs.
    ///
    /// # Errors
    /// If the kernel refuses them.
    pub fn load(config: &Config, layout: &Layout) -> Result<Self, Error> {
        let loaded = std::thread::scope(|scope| {
            let loading = scope.spawn(|| {
                without_files()?;
                Self::load_as_far_as_it_goes(config, layout)
            });
            loading.join()
        });
        loaded.unwrap_or_else(|_panic| Err(Error::panicked()))
    }

    /// A kernel that does not let programs read its memory refuses those that would, and takes them without.
    fn load_as_far_as_it_goes(config: &Config, layout: &Layout) -> Result<Self, Error> {
        match Self::load_here(config, layout) {
            Err(error) if *layout != Layout::UNKNOWN => {
                tracing::warn!(%error, "connections will not name their executables");
                Self::load_here(config, &Layout::UNKNOWN)
            }
            loaded => loaded,
        }
    }

    fn load_here(config: &Config, layout: &Layout) -> Result<Self, Error> {
        let object = include_bytes_aligned!(env!("AGENT_EBPF_OBJECT"));
        // No BTF of the kernel: what the programs must know of its structures, `layout` says.
        let mut ebpf = EbpfLoader::new()
            .btf(None)
            .override_global(maps::CONFIG, config, true)
            .override_global(LAYOUT, layout, true)
            .load(object)
            .map_err(Error::Load)?;
        verify(&mut ebpf)?;
        Ok(Self { ebpf })
    }

    /// Says what the kernel does with single ports, and which networks it refuses.
    ///
    /// # Errors
    /// If a map cannot be written.
    pub fn set_policy(&mut self, ports: &[(u16, PortAction)], refused: &[Network]) -> Result<(), Error> {
        let mut actions: Array<_, u8> = self.map_mut(maps::PORT_POLICY)?;
        for (port, action) in ports {
            actions.set(u32::from(*port), *action as u8, 0).map_err(unusable(maps::PORT_POLICY))?;
        }
        for network in refused {
            match *network {
                Network::V4(ip, prefix) => self.refuse(maps::CIDR4, prefix, ip.to_bits().to_be())?,
                Network::V6(ip, prefix) => self.refuse(maps::CIDR6, prefix, maps::address(ip.into()))?,
            }
        }
        Ok(())
    }

    /// No longer refuses a network. One that is not refused is none the less so.
    ///
    /// # Errors
    /// If the map cannot be written.
    pub fn admit(&mut self, network: Network) -> Result<(), Error> {
        match network {
            Network::V4(ip, prefix) => self.forget(maps::CIDR4, prefix, ip.to_bits().to_be()),
            Network::V6(ip, prefix) => self.forget(maps::CIDR6, prefix, maps::address(ip.into())),
        }
    }

    fn forget<A: aya::Pod>(&mut self, name: &'static str, prefix: u8, ip: A) -> Result<(), Error> {
        let mut networks: LpmTrie<_, A, u8> = self.map_mut(name)?;
        match networks.remove(&Key::new(u32::from(prefix), ip)) {
            Err(MapError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(unusable(name)),
        }
    }

    fn refuse<A: aya::Pod>(&mut self, name: &'static str, prefix: u8, ip: A) -> Result<(), Error> {
        let mut networks: LpmTrie<_, A, u8> = self.map_mut(name)?;
        networks.insert(&Key::new(u32::from(prefix), ip), 1, 0).map_err(unusable(name))
    }

    /// Gives `steer` its listeners, in the order of [`maps::Listener`].
    ///
    /// # Errors
    /// If the map cannot be written.
    pub fn set_listeners(&mut self, sockets: &[OwnedFd]) -> Result<(), Error> {
        let mut listeners: SockMap<_> = self.map_mut(maps::LISTENERS)?;
        for (index, socket) in (0..).zip(sockets) {
            listeners.set(index, &socket.as_raw_fd(), 0).map_err(unusable(maps::LISTENERS))?;
        }
        Ok(())
    }

    /// Attaches the programs. To be called by a thread in the gateway's namespace, where the name of the device
    /// resolves.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn attach(&mut self, link: &'static str, gateway: &OwnedFd, attachment: Attachment) -> Result<(), Error> {
        if attachment == Attachment::Clsact {
            qdisc_add_clsact(link).map_err(|source| Error::Qdisc { link, source })?;
        }
        for (name, direction) in CLASSIFIERS {
            let options = match attachment {
                Attachment::Tcx => TcAttachOptions::TcxOrder(LinkOrder::default()),
                Attachment::Clsact => TcAttachOptions::Netlink(NlOptions::default()),
            };
            let program = classifier(&mut self.ebpf, name)?;
            program.attach_with_options(link, direction, options).map_err(failed(name))?;
        }
        steer(&mut self.ebpf)?.attach(gateway).map_err(failed(STEER))?;
        Ok(())
    }

    /// Notes from now on who opens the connections and sends the datagrams of a control group and of those below it.
    ///
    /// # Errors
    /// If the group cannot be opened or the kernel refuses.
    pub fn attach_owners(&mut self, cgroup: &Path) -> Result<(), Error> {
        let opened = File::open(cgroup);
        let group = opened.map_err(|source| Error::Cgroup { path: cgroup.to_owned(), source })?;
        // No flags: a link stands beside others in any case, and the kernel takes none with it.
        let mode = CgroupAttachMode::Single;
        for name in CALLERS {
            caller(&mut self.ebpf, name)?.attach(&group, mode).map_err(failed(name))?;
        }
        connected(&mut self.ebpf)?.attach(&group, mode).map_err(failed(CONNECTED))?;
        Ok(())
    }

    /// The descriptor of a map, to be handed to the worker.
    ///
    /// # Errors
    /// If there is no such map.
    pub fn map_fd(&self, name: &'static str) -> Result<BorrowedFd<'_>, Error> {
        Ok(self.map(name)?.fd().as_fd())
    }

    /// The map of this name.
    pub(super) fn map(&self, name: &'static str) -> Result<&MapData, Error> {
        use aya::maps::Map;
        match self.ebpf.map(name).ok_or(Error::Absent(name))? {
            Map::HashMap(data) | Map::LruHashMap(data) | Map::PerCpuArray(data) | Map::RingBuf(data) => Ok(data),
            _ => Err(Error::Absent(name)),
        }
    }

    fn map_mut<'a, M>(&'a mut self, name: &'static str) -> Result<M, Error>
    where
        M: TryFrom<&'a mut aya::maps::Map, Error = MapError>,
    {
        M::try_from(self.ebpf.map_mut(name).ok_or(Error::Absent(name))?).map_err(unusable(name))
    }

    /// The programs, for whoever follows their log.
    #[cfg(debug_assertions)]
    pub(super) fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }
}

/// Takes the file system from the calling thread, which is to end soon: aya's loader reads and parses the type
/// information of the whole kernel (`/sys/kernel/btf/vmlinux`) before it can be told that nobody wants it, and that
/// takes longer than all the rest.
fn without_files() -> Result<(), Error> {
    let failed = |errno: nix::Error| Error::Thread(errno.into());
    unshare(CloneFlags::CLONE_FS).map_err(failed)?;
    // A directory that exists everywhere and has no `sys` in it.
    chroot("/proc/self/fdinfo").map_err(failed)
}

fn classifier<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut SchedClassifier, Error> {
    ebpf.program_mut(name).ok_or(Error::Absent(name))?.try_into().map_err(failed(name))
}

fn steer(ebpf: &mut Ebpf) -> Result<&mut SkLookup, Error> {
    ebpf.program_mut(STEER).ok_or(Error::Absent(STEER))?.try_into().map_err(failed(STEER))
}

fn caller<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut CgroupSockAddr, Error> {
    ebpf.program_mut(name).ok_or(Error::Absent(name))?.try_into().map_err(failed(name))
}

fn connected(ebpf: &mut Ebpf) -> Result<&mut SockOps, Error> {
    ebpf.program_mut(CONNECTED).ok_or(Error::Absent(CONNECTED))?.try_into().map_err(failed(CONNECTED))
}

pub(super) fn failed(name: &str) -> impl FnOnce(aya::programs::ProgramError) -> Error {
    move |source| Error::Program { name: name.to_owned(), source }
}

pub(super) fn unusable(name: &'static str) -> impl FnOnce(MapError) -> Error {
    move |source| Error::Map { name, source }
}
