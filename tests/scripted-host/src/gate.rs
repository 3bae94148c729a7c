//! One VM of the filter, driven callback by callback.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use wasmi::{Config, Engine, Instance, Linker, Module, Store, WasmParams, WasmResults};

use crate::world::{Headers, LocalReply, Shared, World};

/// The root context that every test uses.
pub const ROOT: u32 = 1;
/// The context of the first request; roots of tests are below.
const FIRST: u32 = 1000;
/// Instructions that one callback may take: a loop without end is a failed test, not a hung one.
const FUEL: u64 = 20_000_000_000;

/// One VM.
pub struct Gate {
    store: Store<World>,
    instance: Instance,
    next_context: u32,
    spent: u64,
}

/// What came of one request.
#[derive(Debug)]
pub struct Answer {
    /// Its context.
    pub context: u32,
    /// The filter let it go on.
    pub forwarded: bool,
    /// Headers as they go to the upstream.
    pub headers: Vec<(String, String)>,
    /// The filter's own answer.
    pub reply: Option<LocalReply>,
    /// The filter ended the request without an answer.
    pub dropped: bool,
}

/// What came of one response.
#[derive(Debug)]
pub struct Response {
    /// The filter let it go on.
    pub forwarded: bool,
    /// The filter's own answer instead.
    pub reply: Option<LocalReply>,
    /// Headers as the filter wrote them anew; `None`: as they came.
    pub written: Option<Vec<(String, String)>>,
}

impl Answer {
    /// Value of a header on its way to the upstream.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A built filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// `gatehouse-http`.
    Http,
    /// `gatehouse-tcp`.
    Tcp,
}

impl Filter {
    fn compiled(self) -> &'static (Engine, Module) {
        static HTTP: OnceLock<(Engine, Module)> = OnceLock::new();
        static TCP: OnceLock<(Engine, Module)> = OnceLock::new();
        let known = if self == Self::Http { &HTTP } else { &TCP };
        known.get_or_init(|| {
            let path = self.path();
            let bytes = std::fs::read(&path)
                .unwrap_or_else(|error| panic!("no filter at {}: {error}; run `make wasm`", path.display()));
            let mut config = Config::default();
            config.consume_fuel(true);
            let engine = Engine::new(&config);
            let module = Module::new(&engine, bytes.as_slice()).expect("a WebAssembly module");
            (engine, module)
        })
    }

    /// Where it lies: `GATEHOUSE_WASM` and `GATEHOUSE_TCP_WASM`, else where `make wasm` leaves it.
    fn path(self) -> PathBuf {
        let (variable, file) = match self {
            Self::Http => ("GATEHOUSE_WASM", "gatehouse_http.wasm"),
            Self::Tcp => ("GATEHOUSE_TCP_WASM", "gatehouse_tcp.wasm"),
        };
        if let Some(path) = std::env::var_os(variable) {
            return path.into();
        }
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
        target.join("wasm32-wasip1/wasm").join(file)
    }
}

impl Gate {
    /// A VM that has begun and has a root context, but no configuration yet.
    ///
    /// # Panics
    /// When the filter was not built, or traps.
    #[must_use]
    pub fn begin(world: World) -> Self {
        Self::begin_with(Filter::Http, world)
    }

    /// The same of this filter. Panics likewise.
    #[must_use]
    pub fn begin_with(filter: Filter, world: World) -> Self {
        let (engine, module) = filter.compiled();
        let mut store = Store::new(engine, world);
        store.set_fuel(FUEL).expect("fuel is on");
        let mut linker = Linker::new(engine);
        crate::imports::define(&mut linker);
        let instance =
            linker.instantiate_and_start(&mut store, module).expect("the filter imports only what Envoy has");
        let mut gate = Self { store, instance, next_context: FIRST, spent: 0 };
        gate.call::<(), ()>("_initialize", ());
        gate.call::<_, ()>("proxy_on_context_create", (ROOT, 0u32));
        assert_eq!(gate.call::<_, u32>("proxy_on_vm_start", (ROOT, 0u32)), 1);
        gate
    }

    /// A VM with this configuration in an ordinary world: a node, a peer, a clock.
    ///
    /// # Panics
    /// When the configuration is refused.
    #[must_use]
    pub fn with_config(configuration: &str) -> Self {
        Self::with_config_and_shared(configuration, Shared::default())
    }

    /// The same, with shared data that an earlier VM left behind. Panics like [`Gate::with_config`].
    #[must_use]
    pub fn with_config_and_shared(configuration: &str, shared: Shared) -> Self {
        let mut gate = Self::begin(ordinary(shared));
        assert!(gate.configure(configuration), "refused: {}", gate.world().complaints());
        gate
    }

    /// Configures the root context; whether it was accepted.
    pub fn configure(&mut self, configuration: &str) -> bool {
        self.configure_context(ROOT, configuration)
    }

    /// A second configuration in the same VM, as an update over xDS makes it; whether it was accepted.
    pub fn configure_context(&mut self, context: u32, configuration: &str) -> bool {
        if context != ROOT {
            self.call::<_, ()>("proxy_on_context_create", (context, 0u32));
        }
        self.world().configuration = configuration.as_bytes().to_vec();
        self.call::<_, u32>("proxy_on_configure", (context, u32::try_from(configuration.len()).unwrap())) != 0
    }

    /// The host's state.
    pub fn world(&mut self) -> &mut World {
        self.store.data_mut()
    }

    /// A request for `path` on `shop.example` with these further headers, from its headers to its log.
    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut pairs = vec![(":method", "GET"), (":path", path), (":authority", "shop.example"), (":scheme", "https")];
        pairs.extend_from_slice(headers);
        let answer = self.request(&pairs);
        self.finish(answer.context);
        answer
    }

    /// A request's headers; its context stays open.
    pub fn request(&mut self, headers: &[(&str, &str)]) -> Answer {
        let pairs: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
        self.request_with(Headers::Pairs(pairs))
    }

    /// A request's headers in a context that is there.
    pub fn request_in(&mut self, context: u32, headers: &[(&str, &str)]) -> Answer {
        let pairs: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
        self.deliver(context, Headers::Pairs(pairs))
    }

    /// A request with whatever the host hands out as its headers; its context stays open.
    pub fn request_with(&mut self, headers: Headers) -> Answer {
        let context = self.context();
        self.deliver(context, headers)
    }

    fn deliver(&mut self, context: u32, headers: Headers) -> Answer {
        let world = self.world();
        (world.written, world.reply, world.headers) = (None, None, Some(headers));
        world.current = context;
        world.filter_state.clear();
        let forwarded = self.call::<_, u32>("proxy_on_request_headers", (context, 4u32, 1u32)) == 0;
        let world = self.world();
        let sent = match (&world.written, &world.headers) {
            (Some(pairs), _) | (None, Some(Headers::Pairs(pairs))) => pairs.clone(),
            _ => Vec::new(),
        };
        let (headers, world) = (lossy(&sent), self.world());
        Answer { context, forwarded, headers, reply: world.reply.clone(), dropped: world.closed.contains(&context) }
    }

    /// The response of an upstream to an open request.
    pub fn respond(&mut self, context: u32, headers: &[(&str, &str)]) -> Response {
        let world = self.world();
        (world.reply, world.response_written) = (None, None);
        world.response =
            headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
        let forwarded = self.call::<_, u32>("proxy_on_response_headers", (context, 3u32, 0u32)) == 0;
        let world = self.world();
        Response { forwarded, reply: world.reply.clone(), written: world.response_written.as_deref().map(lossy) }
    }

    /// A connection is opened; whether the filter lets it go on at once.
    pub fn open(&mut self) -> (u32, bool) {
        let context = self.context();
        self.world().current = context;
        let went_on = self.call::<_, u32>("proxy_on_new_connection", context) == 0;
        (context, went_on)
    }

    /// Data of the client on a connection; whether it goes on.
    pub fn received(&mut self, context: u32, bytes: u32, is_last: bool) -> bool {
        self.world().current = context;
        self.call::<_, u32>("proxy_on_downstream_data", (context, bytes, u32::from(is_last))) == 0
    }

    /// Data of the server on a connection; whether it goes on.
    pub fn sent(&mut self, context: u32, bytes: u32, is_last: bool) -> bool {
        self.world().current = context;
        self.call::<_, u32>("proxy_on_upstream_data", (context, bytes, u32::from(is_last))) == 0
    }

    /// Both ends of a connection are closed; log and end.
    pub fn close_connection(&mut self, context: u32) {
        self.call::<_, ()>("proxy_on_downstream_connection_close", (context, 2u32));
        self.call::<_, ()>("proxy_on_upstream_connection_close", (context, 1u32));
        self.log(context);
    }

    /// A context for a request that never comes (what a codec error makes).
    pub fn context(&mut self) -> u32 {
        self.context_of(ROOT)
    }

    /// The same of another root context.
    pub fn context_of(&mut self, root: u32) -> u32 {
        let context = self.next_context;
        self.next_context += 1;
        self.call::<_, ()>("proxy_on_context_create", (context, root));
        context
    }

    /// An ordinary response after three milliseconds, log and end of a request.
    pub fn finish(&mut self, context: u32) {
        self.world().now_ns += 3_000_000;
        self.respond(context, &[(":status", "200"), ("content-type", "text/html")]);
        self.log(context);
    }

    /// Log and end of a request.
    pub fn log(&mut self, context: u32) {
        self.call::<_, u32>("proxy_on_done", context);
        self.call::<_, ()>("proxy_on_log", context);
        self.call::<_, ()>("proxy_on_delete", context);
        self.world().deleted.insert(context);
    }

    /// The end of a root context; the filter may speak once more.
    pub fn end(&mut self, context: u32) {
        self.call::<_, u32>("proxy_on_done", context);
        self.call::<_, ()>("proxy_on_delete", context);
    }

    /// A tick of the root context after `time` has passed.
    pub fn tick_after(&mut self, time: Duration) {
        self.tick_context_after(ROOT, time);
    }

    /// A tick of any root context after `time` has passed.
    pub fn tick_context_after(&mut self, context: u32, time: Duration) {
        self.world().now_ns += u64::try_from(time.as_nanos()).unwrap();
        self.call::<_, ()>("proxy_on_tick", context);
    }

    /// A message on a gRPC stream.
    pub fn grpc_message(&mut self, token: u32, message: &[u8]) {
        self.world().inbox = message.to_vec();
        self.call::<_, ()>("proxy_on_grpc_receive", (ROOT, token, u32::try_from(message.len()).unwrap()));
    }

    /// The end of a gRPC stream.
    pub fn grpc_close(&mut self, token: u32, status: u32) {
        self.call::<_, ()>("proxy_on_grpc_close", (ROOT, token, status));
    }

    /// Fuel that all calls took so far.
    #[must_use]
    pub const fn spent(&self) -> u64 {
        self.spent
    }

    /// Size of the linear memory, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let memory = self.instance.get_memory(&self.store, "memory").expect("the module exports its memory");
        memory.data_size(&self.store)
    }

    /// Calls an export.
    ///
    /// # Panics
    /// When it traps: that is what the tests of this package look for.
    pub fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, arguments: P) -> R {
        self.store.set_fuel(FUEL).expect("fuel is on");
        let export =
            self.instance.get_typed_func::<P, R>(&self.store, name).unwrap_or_else(|error| panic!("`{name}`: {error}"));
        let result = export.call(&mut self.store, arguments);
        self.spent += FUEL - self.store.get_fuel().expect("fuel is on");
        result.unwrap_or_else(|error| {
            let world = self.store.data();
            panic!(
                "`{name}` trapped: {error}\nlast calls: {:?}\nlog: {:?}",
                world.calls.iter().rev().take(8).collect::<Vec<_>>(),
                world.log
            )
        })
    }
}

fn lossy(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    pairs.iter().map(|(name, value)| (text(name), text(value))).collect()
}

/// A world as a gateway sees it every day.
#[must_use]
pub fn ordinary(shared: Shared) -> World {
    let mut world = World { now_ns: 1_800_000_000_000_000_000, entropy: 7, shared, ..World::default() };
    let number = |value: i64| value.to_le_bytes().to_vec();
    let properties = [
        ("plugin_root_id", b"gatehouse".to_vec()),
        ("xds.node.id", b"edge-1".to_vec()),
        ("xds.node.cluster", b"edges".to_vec()),
        ("connection.id", number(42)),
        ("filter_state.gatehouse.peer", b"192.0.2.7".to_vec()),
        ("connection.mtls", vec![0]),
        ("response.code", number(200)),
        ("response.code_details", b"via_upstream".to_vec()),
        ("response.flags", number(0)),
        ("response.size", number(5)),
        ("request.duration", number(3_000_000)),
        ("request.protocol", b"HTTP/2".to_vec()),
        ("request.size", number(0)),
        ("request.time", number(1_799_999_999_000_000_000)),
        ("upstream.request_attempt_count", number(1)),
        ("upstream.cx_pool_ready_duration", number(400_000)),
        ("response.backend_latency", number(2_000_000)),
        ("response.grpc_status", number(2)),
        ("xds.route_name", b"shop".to_vec()),
        ("xds.virtual_host_name", b"shops".to_vec()),
        ("upstream.address", b"10.0.0.5:8080".to_vec()),
        ("xds.cluster_name", b"outbound|8080||shop.svc".to_vec()),
        ("response.headers.content-type", b"text/html".to_vec()),
    ];
    world.properties = properties.into_iter().map(|(path, value)| (path.to_owned(), value)).collect();
    world
}
