//! Lists of sessions come in OpenAI's pages.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::gateway::{Answer, Gateway, Setup};
use crate::support::stores::with_each_store;
use crate::support::{sessions, token};

fn shop() -> String {
    token::with(&json!({ "sub": "shop", "scope": "sessions transcribe" }))
}

async fn open(gateway: &Gateway, subject: &str) -> String {
    sessions::open(gateway, &shop(), &json!({ "subject": subject })).await.1
}

async fn end(gateway: &Gateway, id: &str) {
    assert_eq!(sessions::end(gateway, &shop(), id).await.status, 204);
}

async fn get(gateway: &Gateway, query: &str) -> Answer {
    gateway.send(gateway.request(Method::GET, &format!("/v1/sessions{query}")).bearer_auth(shop())).await
}

/// The ids of a page, the id to go on after, and whether anything follows.
async fn page(gateway: &Gateway, query: &str) -> (Vec<String>, String, bool) {
    let answer = get(gateway, query).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list = answer.json();
    assert_eq!(list["object"], "list");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|session| text(&session["id"])).collect();
    let ends = [&list["first_id"], &list["last_id"]].map(Value::as_str);
    assert_eq!(ends, [ids.first(), ids.last()].map(|id| id.map(String::as_str)), "{list}");
    (ids, text(&list["last_id"]), list["has_more"].as_bool().unwrap())
}

/// Every page, one after the other.
async fn walk(gateway: &Gateway, limit: usize) -> (Vec<String>, usize) {
    let (mut all, mut pages, mut after) = (Vec::new(), 0, String::new());
    loop {
        let (ids, last, has_more) = page(gateway, &format!("?limit={limit}&after={after}")).await;
        assert!(ids.len() == limit || !has_more, "a page is full unless it is the last");
        all.extend(ids);
        pages += 1;
        if !has_more {
            return (all, pages);
        }
        after = last;
    }
}

#[tokio::test]
async fn pages_walk_every_session_once_the_oldest_first() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        assert_eq!(page(&gateway, "").await, (Vec::new(), String::new(), false));
        let mut opened = Vec::new();
        for at in 0..103 {
            opened.push(open(&gateway, &format!("user {at}")).await);
        }
        // A hundred unless it is asked otherwise.
        let (ids, last, has_more) = page(&gateway, "").await;
        assert_eq!((ids.as_slice(), has_more), (&opened[..100], true));
        assert_eq!(
            page(&gateway, &format!("?after={last}")).await,
            (opened[100..].to_vec(), opened[102].clone(), false)
        );
        for (limit, pages) in [(1, 103), (50, 3), (51, 3), (100, 2)] {
            assert_eq!(walk(&gateway, limit).await, (opened.clone(), pages), "pages of {limit}");
        }
        // Of exactly as many as are left nothing follows.
        assert!(!page(&gateway, &format!("?limit=3&after={last}")).await.2);
    }
}

#[tokio::test]
async fn sessions_that_stay_are_found_while_others_come_and_go() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let mut opened = Vec::new();
        for at in 0..6 {
            opened.push(open(&gateway, &format!("user {at}")).await);
        }
        let (first, last, _) = page(&gateway, "?limit=2").await;
        // The whole page is ended, with the session after which the next one begins, and another that was not seen yet.
        for id in first.iter().chain([&opened[3]]) {
            end(&gateway, id).await;
        }
        let new = open(&gateway, "a new user").await;
        let (second, last, has_more) = page(&gateway, &format!("?limit=2&after={last}")).await;
        assert_eq!((second, has_more), (vec![opened[2].clone(), opened[4].clone()], true));
        let (third, _, has_more) = page(&gateway, &format!("?limit=2&after={last}")).await;
        assert_eq!((third, has_more), (vec![opened[5].clone(), new], false));
        // Nor is an id that this list never had an error: it is a place in it.
        assert!(page(&gateway, "?after=ffffffff-ffff-7fff-bfff-ffffffffffff").await.0.is_empty());
        assert_eq!(page(&gateway, "?after=00000000-0000-7000-8000-000000000000").await.0.len(), 4);
    }
}

#[tokio::test]
async fn a_page_that_makes_no_sense_is_refused_with_what_is_allowed() {
    let (gateway, _) = with_each_store(Setup::new).await.swap_remove(0);
    for (query, got) in [
        ("limit=0", "'0'"),
        ("limit=101", "'101'"),
        ("limit=-1", "'-1'"),
        ("limit=1.5", "'1.5'"),
        ("limit=ten", "'ten'"),
        ("limit=%2B5", "'+5'"),
        ("limit=99999999999999999999999", "'99999999999999999999999'"),
        ("limit=1&limit=2", "limit"),
    ] {
        let answer = get(&gateway, &format!("?{query}")).await;
        answer.is_error(400, "invalid_value", Some("limit"));
        assert!(answer.text().contains(got), "{}", answer.text());
    }
    let id = open(&gateway, "carol").await;
    for query in ["after=carol".to_owned(), format!("after={id}x"), format!("after={id}&after={id}")] {
        get(&gateway, &format!("?{query}")).await.is_error(400, "invalid_value", Some("after"));
    }
    // What is blank was left out, and what nobody knows is not looked at: as everywhere.
    for query in ["?limit=&after=", "?order=desc&before=x", "?"] {
        assert_eq!(page(&gateway, query).await.0, [id.as_str()]);
    }
}
