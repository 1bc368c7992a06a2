//! For operators: a search for keys on every node, which walks through all keys there.

use std::collections::BTreeSet;

use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisResult, cmd};
use tokio::time::timeout;

use super::connections::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, Connections, Target, failure};
use super::records::parsed;
use crate::config::RedisUrl;
use crate::store::StoreError;

/// The number of keys that one step looks at.
const PAGE_SIZE: usize = 1000;

impl Connections {
    /// Returns the keys that match `pattern`; some may come twice.
    pub(super) async fn scan(&self, pattern: &str) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        for client in self.primaries().await? {
            let connection = timeout(CONNECT_TIMEOUT, client.get_multiplexed_async_connection()).await;
            let mut connection = connection.map_err(|_| StoreError::Timeout)?.map_err(|error| failure(&error))?;
            let mut cursor = 0_u64;
            loop {
                let scan = cmd("SCAN").arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(PAGE_SIZE).take();
                let answer = timeout(ANSWER_TIMEOUT, scan.query_async::<(u64, Vec<String>)>(&mut connection)).await;
                let (next, found) = answer.map_err(|_| StoreError::Timeout)?.map_err(|error| failure(&error))?;
                keys.extend(found);
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(keys)
    }

    /// Returns a client for each node that holds keys.
    async fn primaries(&self) -> Result<Vec<Client>, StoreError> {
        let url = match &self.target {
            Target::Single(client) => return Ok(vec![Client::clone(client)]),
            Target::Cluster { url, .. } => url,
        };
        // Each: the first slot, the last, the primary, its replicas.
        let slots: Vec<Vec<redis::Value>> =
            parsed(self.run(cmd("CLUSTER").arg("SLOTS").take(), ANSWER_TIMEOUT).await?)?;
        let mut nodes = BTreeSet::new();
        for range in slots {
            let corrupt = || StoreError::Corrupt("CLUSTER SLOTS names no primary".to_owned());
            let primary: Vec<redis::Value> = parsed(range.into_iter().nth(2).ok_or_else(corrupt)?)?;
            let mut primary = primary.into_iter();
            let (host, port) = primary.next().zip(primary.next()).ok_or_else(corrupt)?;
            nodes.insert((parsed::<String>(host)?, parsed::<u16>(port)?));
        }
        nodes.into_iter().map(|node| client(url, node).map_err(|error| failure(&error))).collect()
    }
}

/// Creates a client for one node of a cluster, with the login and the encryption of the cluster's address.
fn client(url: &RedisUrl, (host, port): (String, u16)) -> RedisResult<Client> {
    let first = url.cluster_nodes().and_then(|nodes| nodes.into_iter().next()).unwrap_or_default();
    let info = first.into_connection_info()?;
    let address = match info.addr().clone() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(host, port),
    };
    Client::open(info.set_addr(address))
}
