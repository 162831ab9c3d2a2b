//! What programs say to servers: datagrams, connections, HTTP, TLS and DNS, with a time limit each. What is sent bears
//! the target's token.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{EchGreaseConfig, EchMode};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, DigitallySignedStruct, SignatureScheme, StreamOwned, WantsVerifier,
};

use super::Target;
use crate::engine::wire::dns::Message;

/// How long a server may take, on a machine that is busy elsewhere. Whatever a session refuses is refused at once.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Sends a datagram with the token, and takes an ICMP error for an answer.
///
/// # Errors
/// The kernel's, an answer that refuses included.
pub fn datagram(target: &Target, to: SocketAddr) -> io::Result<String> {
    datagram_of(target.token.as_bytes(), to)
}

/// The same with other bytes.
///
/// # Errors
/// The kernel's, an answer that refuses included.
pub fn datagram_of(bytes: &[u8], to: SocketAddr) -> io::Result<String> {
    let from: IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((from, 0))?;
    socket.connect(to)?;
    socket.send(bytes)?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    match socket.recv(&mut [0; 512]) {
        Ok(length) => Ok(format!("an answer of {length} bytes")),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok("no answer".into()),
        Err(error) => Err(error),
    }
}

/// Connects and says the token in a protocol that nobody knows.
///
/// # Errors
/// The kernel's.
pub fn stream(target: &Target, to: SocketAddr) -> io::Result<String> {
    let mut stream = connect(to)?;
    stream.write_all(format!("\u{1}{}\n", target.token).as_bytes())?;
    hear(&mut stream)
}

/// A connection with limits.
///
/// # Errors
/// The kernel's.
pub fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Requests a page whose path has the token, over plain HTTP, with `host` for the `Host` field.
///
/// # Errors
/// The kernel's.
pub fn http(target: &Target, to: SocketAddr, host: &str) -> io::Result<String> {
    exchange(&mut connect(to)?, &request(target, host))
}

/// Requests a page whose path has the token, over TLS with this server name (none for an address), whatever certificate
/// is shown.
///
/// # Errors
/// The kernel's, or what TLS has against it.
pub fn https(target: &Target, to: SocketAddr, name: &str, host: &str) -> io::Result<String> {
    exchange(&mut tls(to, name, &[])?, &request(target, host))
}

/// The bytes of a request.
#[must_use]
pub fn request(target: &Target, host: &str) -> String {
    format!("GET /{} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", target.token)
}

/// The bytes of a request to go on with another protocol, with one more line of fields.
#[must_use]
pub fn request_to_upgrade(target: &Target, protocol: &str, field: &str) -> String {
    let Target { token, name, .. } = target;
    let connection = if protocol == "h2c" { "Upgrade, HTTP2-Settings" } else { "Upgrade" };
    format!(
        "GET /{token} HTTP/1.1\r\nHost: {name}\r\nConnection: {connection}\r\nUpgrade: {protocol}\r\n{field}\r\n\r\n"
    )
}

/// Says something and gives the first line of the answer.
///
/// # Errors
/// If the connection ends before one comes.
pub fn exchange(stream: &mut (impl io::Read + Write), say: &str) -> io::Result<String> {
    stream.write_all(say.as_bytes())?;
    stream.flush()?;
    hear(stream)
}

fn hear(stream: &mut impl io::Read) -> io::Result<String> {
    let mut buffer = [0; 1024];
    match stream.read(&mut buffer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            Ok(text.lines().next().unwrap_or_default().to_owned())
        }
    }
}

/// A TLS connection that offers `alpn`, if anything.
///
/// # Errors
/// The kernel's, or what TLS has against it.
pub fn tls(to: SocketAddr, name: &str, alpn: &[&[u8]]) -> io::Result<Tls> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let mut config = credulous(builder.map_err(io::Error::other)?);
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    shake_hands(to, name, config)
}

/// A TLS connection whose ClientHello has an `encrypted_client_hello` extension that nobody can decrypt (RFC 9849
/// section 6.2).
///
/// # Errors
/// The kernel's, or what TLS has against it.
pub fn tls_with_ech(to: SocketAddr, name: &str) -> io::Result<Tls> {
    let [suite, ..] = rustls::crypto::aws_lc_rs::hpke::ALL_SUPPORTED_SUITES else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let (key, _) = suite.generate_key_pair().map_err(io::Error::other)?;
    let mode = EchMode::Grease(EchGreaseConfig::new(*suite, key));
    let builder = ClientConfig::builder_with_provider(provider()).with_ech(mode);
    shake_hands(to, name, credulous(builder.map_err(io::Error::other)?))
}

/// A TLS connection over TCP.
pub type Tls = StreamOwned<ClientConnection, TcpStream>;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn credulous(builder: ConfigBuilder<ClientConfig, WantsVerifier>) -> ClientConfig {
    let schemes = provider().signature_verification_algorithms.supported_schemes();
    builder.dangerous().with_custom_certificate_verifier(Arc::new(Credulous(schemes))).with_no_client_auth()
}

fn shake_hands(to: SocketAddr, name: &str, config: ClientConfig) -> io::Result<Tls> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, connect(to)?);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

/// The first address that the session's resolver gives for a name.
///
/// # Errors
/// The kernel's, or that there is none.
pub fn resolve(target: &Target, name: &str) -> io::Result<IpAddr> {
    let response = ask(SocketAddr::new(target.gateway.0.into(), 53), name, 1)?;
    let message = Message::parse(&response).map_err(io::Error::other)?;
    message.addresses().first().map(|found| found.ip).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Asks the DNS server at `to` for a name and type over UDP; gives the response code and the number of answers.
///
/// # Errors
/// The kernel's.
pub fn dns(to: SocketAddr, name: &str, record_type: u16) -> io::Result<String> {
    answer(&ask(to, name, record_type)?)
}

fn ask(to: SocketAddr, name: &str, record_type: u16) -> io::Result<Vec<u8>> {
    let from: IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((from, 0))?;
    socket.connect(to)?;
    socket.send(&query(name, record_type))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut response = vec![0; 4096];
    let length = socket.recv(&mut response)?;
    response.truncate(length);
    Ok(response)
}

/// The same over TCP (RFC 7766).
///
/// # Errors
/// The kernel's.
pub fn dns_over(stream: &mut (impl io::Read + Write), name: &str, record_type: u16) -> io::Result<String> {
    let query = query(name, record_type);
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], &query].concat())?;
    stream.flush()?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut response = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut response)?;
    answer(&response)
}

/// A query (RFC 1035 section 4.1) for a name of class IN.
#[must_use]
pub fn query(name: &str, record_type: u16) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        message.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(record_type.to_be_bytes());
    message.extend(1_u16.to_be_bytes());
    message
}

fn answer(response: &[u8]) -> io::Result<String> {
    let [_, _, _, code, _, _, high, low, ..] = response else { return Err(io::ErrorKind::InvalidData.into()) };
    Ok(format!("rcode {} with {} answers", code & 0xf, u16::from_be_bytes([*high, *low])))
}

/// Believes every certificate: what is tested is not the client.
#[derive(Debug)]
struct Credulous(Vec<SignatureScheme>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
