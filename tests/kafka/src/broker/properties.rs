//! What a broker is told.

use std::fs;
use std::path::Path;

use super::{Broker, Place, SASL_USER};

/// What is not granted is refused, but to clients without a login: those of the plain listener.
const GUARD: &str = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
    super.users=User:ANONYMOUS\n";

impl Broker {
    /// Writes what the broker is to know at its next start.
    pub(super) fn write_properties(&self) {
        let Self { plain, mutual_tls, sasl, password, place, .. } = self;
        let Place { node, controller, voters, told, guarded } = place;
        let copies = voters.split(',').count();
        let at = |name: &str, port: &u16| format!("{name}://127.0.0.1:{port}");
        let others = [at("TLS", mutual_tls), at("LOGIN", sasl), at("CONTROLLER", controller)].join(",");
        let listeners = format!("{},{others}", at("PLAIN", plain));
        let advertised = format!("{},{others}", at("PLAIN", told));
        let path = |path: &Path| path.display().to_string();
        let (keys, authority) = (path(&self.certificates.broker), path(&self.certificates.ca));
        let login = "listener.name.login";
        let module = "org.apache.kafka.common.security";
        let text = format!(
            "process.roles=broker,controller\n\
             node.id={node}\n\
             controller.quorum.voters={voters}\n\
             controller.listener.names=CONTROLLER\n\
             listeners={listeners}\n\
             advertised.listeners={advertised}\n\
             listener.security.protocol.map=PLAIN:PLAINTEXT,TLS:SSL,LOGIN:SASL_SSL,CONTROLLER:PLAINTEXT\n\
             inter.broker.listener.name=PLAIN\n\
             log.dirs={data}\n\
             auto.create.topics.enable=false\n\
             default.replication.factor={copies}\n\
             min.insync.replicas={least}\n\
             offsets.topic.replication.factor=1\n\
             offsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=1\n\
             share.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\n\
             share.coordinator.state.topic.num.partitions=1\n\
             group.initial.rebalance.delay.ms=0\n\
             # After a kill the old registration has to lapse before the broker may come back.\n\
             broker.session.timeout.ms=2000\n\
             broker.heartbeat.interval.ms=300\n\
             log.cleaner.backoff.ms=1000\n\
             # Its default alone would not fit into the small heap.\n\
             log.cleaner.dedupe.buffer.size=4194304\n\
             ssl.keystore.type=PEM\n\
             ssl.keystore.location={keys}\n\
             ssl.truststore.type=PEM\n\
             ssl.truststore.location={authority}\n\
             listener.name.tls.ssl.client.auth=required\n\
             {login}.ssl.client.auth=none\n\
             {login}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
             {login}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{SASL_USER}=\"{password}\";\n\
             {login}.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;\n\
             {login}.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;\n\
             {guard}",
            guard = if *guarded { GUARD } else { "" },
            data = self.data().display(),
            least = copies.div_ceil(2),
        );
        fs::write(self.properties(), text).unwrap();
    }
}
