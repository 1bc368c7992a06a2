//! A network between a client and a gateway, which can be cut.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A port that leads to a gateway, on threads of its own.
pub(crate) struct CuttingProxy {
    port: u16,
    network: Arc<Network>,
}

struct Network {
    gateway: Mutex<SocketAddr>,
    is_away: AtomicBool,
    /// Every so manieth part of the answers is lost with its connection; zero for none.
    loses_every: AtomicUsize,
    parts: AtomicUsize,
    lost: AtomicUsize,
    connections: Mutex<Vec<TcpStream>>,
}

impl CuttingProxy {
    pub(crate) fn to(gateway: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let network = Arc::new(Network {
            gateway: Mutex::new(gateway),
            is_away: AtomicBool::new(false),
            loses_every: AtomicUsize::new(0),
            parts: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&network);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                accepting.connect(client);
            }
        });
        Self { port, network }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on the port leads to another gateway.
    pub(crate) fn leads_to(&self, gateway: SocketAddr) {
        *self.network.gateway.lock().unwrap() = gateway;
    }

    /// Loses every so manieth part of the answers, each with its connection.
    pub(crate) fn loses_every(&self, parts: usize) {
        self.network.loses_every.store(parts, Ordering::Relaxed);
    }

    /// How many parts were lost.
    pub(crate) fn lost(&self) -> usize {
        self.network.lost.load(Ordering::Relaxed)
    }

    /// Cuts all connections, and lets none through.
    pub(crate) fn goes_away(&self) {
        self.network.is_away.store(true, Ordering::Relaxed);
        for connection in self.network.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn comes_back(&self) {
        self.network.is_away.store(false, Ordering::Relaxed);
    }
}

impl Network {
    fn connect(self: &Arc<Self>, client: TcpStream) {
        let gateway = *self.gateway.lock().unwrap();
        let Ok(server) = TcpStream::connect(gateway) else { return };
        let [for_questions, for_answers] =
            [(), ()].map(|()| (client.try_clone().unwrap(), server.try_clone().unwrap()));
        {
            let mut connections = self.connections.lock().unwrap();
            if self.is_away.load(Ordering::Relaxed) {
                return;
            }
            connections.extend([client, server]);
        }
        std::thread::spawn(move || {
            let (mut client, mut server) = for_questions;
            let _ = std::io::copy(&mut client, &mut server);
            let _ = server.shutdown(Shutdown::Write);
        });
        let network = Arc::clone(self);
        std::thread::spawn(move || {
            let (client, server) = for_answers;
            network.answer(&client, &server);
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        });
    }

    /// Passes the answers on until one is lost.
    fn answer(&self, mut client: &TcpStream, mut server: &TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = server.read(&mut buffer) {
            let (part, every) = (self.parts.fetch_add(1, Ordering::Relaxed), self.loses_every.load(Ordering::Relaxed));
            if every > 0 && part % every == every - 1 {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            if client.write_all(&buffer[..read]).is_err() {
                return;
            }
        }
    }
}
