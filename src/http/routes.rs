//! All routes, in one table. The router, the answers to other methods, the names in log and metrics, CORS and the
//! contract's test derive from it.

use std::future::ready;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, Route};

use super::error::ApiError;
use super::handlers::{audio, console, docs, health, live, metrics, models, operator, sessions, usage};
use crate::domain::terms::Task;

/// A route: a method on a path, and its handler. `GET` includes `HEAD`.
pub struct ApiRoute {
    /// The method.
    pub method: Method,
    /// The path as `openapi.yaml`, the log and the metrics name it.
    pub path: &'static str,
    /// The path as actix matches it.
    pattern: &'static str,
    endpoint: Endpoint,
    listeners: Listeners,
}

enum Endpoint {
    /// A task on a recording in the body, checked before `100 Continue`.
    Audio(Task),
    /// Any other handler, as a function that attaches it.
    Handler(fn(Route) -> Route),
}

/// The listeners that serve a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listeners {
    Public,
    Operational,
    Both,
}

use Listeners::{Both, Operational, Public};

static ROUTES: [ApiRoute; 34] = [
    audio_route("/v1/audio/transcriptions", Task::Transcribe),
    audio_route("/v1/audio/translations", Task::Translate),
    route(Public, Method::GET, "/v1/models", |route| route.to(models::list)),
    // Model names may contain slashes (`Systran/faster-whisper-small`).
    route(Public, Method::GET, "/v1/models/{model}", |route| route.to(models::retrieve))
        .with_pattern("/v1/models/{model:.+}"),
    route(Public, Method::GET, "/v1/usage", |route| route.to(usage::show)),
    route(Public, Method::GET, "/v1/usage/requests/{request_id}", |route| route.to(usage::request)),
    route(Public, Method::POST, "/v1/sessions", |route| route.to(sessions::open)),
    route(Public, Method::GET, "/v1/sessions", |route| route.to(sessions::list)),
    route(Public, Method::DELETE, "/v1/sessions/{id}", |route| route.to(sessions::end)),
    route(Public, Method::POST, "/v1/live", |route| route.to(live::sessions::open)),
    // Before the route of one session, which would match it.
    route(Public, Method::POST, "/v1/live/stream", |route| route.to(live::stream::open)),
    route(Public, Method::GET, "/v1/live/{id}", |route| route.to(live::sessions::show)),
    route(Public, Method::DELETE, "/v1/live/{id}", |route| route.to(live::sessions::delete)),
    route(Public, Method::POST, "/v1/live/{id}/audio", |route| route.to(live::audio::add)),
    route(Public, Method::POST, "/v1/live/{id}/end", |route| route.to(live::sessions::end)),
    route(Public, Method::GET, "/v1/live/{id}/events", |route| route.to(live::events::read)),
    route(Both, Method::GET, "/health/live", |route| route.to(health::live)),
    route(Both, Method::GET, "/health/ready", |route| route.to(health::ready)),
    route(Public, Method::GET, "/", |route| route.to(console::page)),
    route(Public, Method::GET, "/console/{asset}", |route| route.to(console::asset)),
    route(Public, Method::GET, "/voxgate.js", |route| route.to(console::module)),
    route(Public, Method::GET, "/voxgate/{part}", |route| route.to(console::module_part)),
    route(Public, Method::GET, "/openapi.yaml", |route| route.to(docs::openapi)),
    route(Public, Method::GET, "/docs", |route| route.to(docs::page)).with_pattern("/docs{slash:/?}"),
    // Pages are in folders (`/docs/deploy/compose`).
    route(Public, Method::GET, "/docs/{asset}", |route| route.to(docs::asset)).with_pattern("/docs/{asset:.+}"),
    route(Public, Method::GET, "/llms.txt", |route| route.to(docs::llms)),
    route(Operational, Method::GET, "/metrics", |route| route.to(metrics::show)),
    route(Operational, Method::GET, "/", |route| route.to(operator::page::show)),
    route(Operational, Method::GET, "/operator/page.css", |route| route.to(operator::page::style)),
    route(Operational, Method::GET, "/operator/page.js", |route| route.to(operator::page::script)),
    route(Operational, Method::GET, "/operator/state", |route| route.to(operator::state::show)),
    route(Operational, Method::GET, "/operator/usage", |route| route.to(operator::usage::show)),
    route(Operational, Method::GET, "/operator/usage.csv", |route| route.to(operator::usage::download)),
    route(Operational, Method::GET, "/operator/requests", |route| route.to(operator::usage::requests)),
];

const fn route(listeners: Listeners, method: Method, path: &'static str, handler: fn(Route) -> Route) -> ApiRoute {
    ApiRoute { method, path, pattern: path, endpoint: Endpoint::Handler(handler), listeners }
}

const fn audio_route(path: &'static str, task: Task) -> ApiRoute {
    ApiRoute { method: Method::POST, path, pattern: path, endpoint: Endpoint::Audio(task), listeners: Public }
}

impl ApiRoute {
    const fn with_pattern(mut self, pattern: &'static str) -> Self {
        self.pattern = pattern;
        self
    }

    fn is_on(&self, listener: Listeners) -> bool {
        self.listeners == listener || self.listeners == Both
    }

    /// Returns the methods that the route answers.
    fn methods(&self) -> impl Iterator<Item = Method> {
        let head = (self.method == Method::GET).then_some(Method::HEAD);
        std::iter::once(self.method.clone()).chain(head)
    }

    /// Adds the handler to the resource of its path.
    fn attach(&self, resource: Resource) -> Resource {
        self.methods().fold(resource, |resource, method| {
            let route = web::method(method);
            resource.route(match self.endpoint {
                Endpoint::Audio(task) => route.to(audio::handler(task)),
                Endpoint::Handler(attach) => attach(route),
            })
        })
    }
}

/// An audio route.
pub(super) struct AudioRoute {
    pub(super) task: Task,
    pub(super) path: &'static str,
}

/// Returns the audio route of a request, if it is for one.
pub(super) fn audio(method: &Method, path: &str) -> Option<AudioRoute> {
    let route = ROUTES.iter().find(|route| route.method == *method && route.path == path)?;
    match route.endpoint {
        Endpoint::Audio(task) => Some(AudioRoute { task, path: route.path }),
        Endpoint::Handler(_) => None,
    }
}

/// Returns the routes of the public listener, which `openapi.yaml` describes.
pub fn public_routes() -> impl Iterator<Item = &'static ApiRoute> {
    ROUTES.iter().filter(|route| route.is_on(Public))
}

/// Returns the name of a route by its pattern, for the log and the metrics.
pub(super) fn name_of(pattern: Option<&str>) -> &'static str {
    public_routes().find(|route| Some(route.pattern) == pattern).map_or("unknown", |route| route.path)
}

/// Returns the methods of the public listener.
pub(super) fn methods() -> impl Iterator<Item = Method> {
    public_routes().flat_map(ApiRoute::methods)
}

/// Configures the routes of the public listener.
pub fn public(config: &mut ServiceConfig) {
    configure(config, Public);
}

/// Configures the routes of the operational listener.
pub fn operational(config: &mut ServiceConfig) {
    configure(config, Operational);
}

fn configure(config: &mut ServiceConfig, listener: Listeners) {
    let mut routes: Vec<_> = ROUTES.iter().filter(|route| route.is_on(listener)).collect();
    while let Some(first) = routes.first() {
        let pattern = first.pattern;
        let of_path: Vec<_> = routes.extract_if(.., |route| route.pattern == pattern).collect();
        let mut allowed: Vec<_> = of_path.iter().flat_map(|route| route.methods()).map(|it| it.to_string()).collect();
        allowed.sort_unstable();
        let resource = of_path.iter().fold(web::resource(pattern), |resource, route| route.attach(resource));
        config.service(resource.default_service(wrong_method(allowed.join(", "))));
    }
    config.default_service(web::to(unknown_path));
}

fn wrong_method(allowed: String) -> Route {
    web::to(move |request: HttpRequest| {
        let error = ApiError::method_not_allowed(request.method().as_str(), &allowed);
        ready(Err::<HttpResponse, _>(error))
    })
}

async fn unknown_path(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(ApiError::not_found(request.method().as_str(), request.path()))
}
