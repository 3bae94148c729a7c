//! The words. A language is one entry here; nothing else names it.

use super::Words;

/// The words of everybody else.
pub(in crate::mitigate) static ENGLISH: Words = Words {
    tag: "en",
    also: &[],
    ambiguous: ("Unclear request", "This request can be read in more than one way, so it was not passed on."),
    blocked: ("Access denied", "This request was refused."),
    no_policy: ("Not ready", "This service takes no requests at the moment."),
    limited: ("Too many requests", "Too many requests came in a short time."),
    again: ("Please try again in ", "."),
    units: ["s", "min", "h"],
    reference: "Reference",
    quote: "If you ask for help, please give this reference.",
};

/// Every language.
pub(in crate::mitigate) static LANGUAGES: [&Words; 12] =
    [&ENGLISH, &GERMAN, &FRENCH, &SPANISH, &ITALIAN, &PORTUGUESE, &DUTCH, &POLISH, &JAPANESE, &KOREAN, &HANT, &HANS];

static GERMAN: Words = Words {
    tag: "de",
    also: &[],
    ambiguous: (
        "Mehrdeutige Anfrage",
        "Diese Anfrage lässt sich auf mehr als eine Weise lesen und wurde deshalb nicht weitergeleitet.",
    ),
    blocked: ("Zugriff verweigert", "Diese Anfrage wurde abgelehnt."),
    no_policy: ("Nicht bereit", "Dieser Dienst nimmt zurzeit keine Anfragen an."),
    limited: ("Zu viele Anfragen", "In kurzer Zeit kamen zu viele Anfragen."),
    again: ("Bitte versuchen Sie es in ", " erneut."),
    units: ["s", "min", "h"],
    reference: "Referenz",
    quote: "Wenn Sie um Hilfe bitten, nennen Sie bitte diese Referenz.",
};

static FRENCH: Words = Words {
    tag: "fr",
    also: &[],
    ambiguous: ("Requête ambiguë", "Cette requête peut se lire de plusieurs façons ; elle n’a donc pas été transmise."),
    blocked: ("Accès refusé", "Cette requête a été refusée."),
    no_policy: ("Service non disponible", "Ce service n’accepte aucune requête pour le moment."),
    limited: ("Trop de requêtes", "Trop de requêtes ont été envoyées en peu de temps."),
    again: ("Veuillez réessayer dans ", "."),
    units: ["s", "min", "h"],
    reference: "Référence",
    quote: "Si vous demandez de l’aide, indiquez cette référence.",
};

static SPANISH: Words = Words {
    tag: "es",
    also: &[],
    ambiguous: (
        "Solicitud ambigua",
        "Esta solicitud puede leerse de más de una manera y por eso no se ha transmitido.",
    ),
    blocked: ("Acceso denegado", "Esta solicitud ha sido rechazada."),
    no_policy: ("Servicio no disponible", "Este servicio no acepta solicitudes en este momento."),
    limited: ("Demasiadas solicitudes", "Han llegado demasiadas solicitudes en poco tiempo."),
    again: ("Vuelva a intentarlo dentro de ", "."),
    units: ["s", "min", "h"],
    reference: "Referencia",
    quote: "Si pide ayuda, indique esta referencia.",
};

static ITALIAN: Words = Words {
    tag: "it",
    also: &[],
    ambiguous: ("Richiesta ambigua", "Questa richiesta può essere letta in più modi e perciò non è stata inoltrata."),
    blocked: ("Accesso negato", "Questa richiesta è stata rifiutata."),
    no_policy: ("Servizio non disponibile", "Al momento questo servizio non accetta richieste."),
    limited: ("Troppe richieste", "Sono arrivate troppe richieste in poco tempo."),
    again: ("Riprovi tra ", "."),
    units: ["s", "min", "h"],
    reference: "Riferimento",
    quote: "Se chiede assistenza, indichi questo riferimento.",
};

static PORTUGUESE: Words = Words {
    tag: "pt",
    also: &[],
    ambiguous: ("Pedido ambíguo", "Este pedido pode ser lido de mais de uma forma e por isso não foi encaminhado."),
    blocked: ("Acesso negado", "Este pedido foi recusado."),
    no_policy: ("Serviço não disponível", "De momento, este serviço não aceita pedidos."),
    limited: ("Pedidos em excesso", "Chegaram demasiados pedidos em pouco tempo."),
    again: ("Tente novamente dentro de ", "."),
    units: ["s", "min", "h"],
    reference: "Referência",
    quote: "Se pedir ajuda, indique esta referência.",
};

static DUTCH: Words = Words {
    tag: "nl",
    also: &[],
    ambiguous: (
        "Onduidelijk verzoek",
        "Dit verzoek kan op meer dan één manier worden gelezen en is daarom niet doorgestuurd.",
    ),
    blocked: ("Toegang geweigerd", "Dit verzoek is geweigerd."),
    no_policy: ("Niet beschikbaar", "Deze dienst neemt op dit moment geen verzoeken aan."),
    limited: ("Te veel verzoeken", "Er kwamen te veel verzoeken in korte tijd."),
    again: ("Probeer het over ", " opnieuw."),
    units: ["s", "min", "u"],
    reference: "Referentie",
    quote: "Vraagt u om hulp, geef dan deze referentie door.",
};

static POLISH: Words = Words {
    tag: "pl",
    also: &[],
    ambiguous: (
        "Niejednoznaczne żądanie",
        "To żądanie można odczytać na więcej niż jeden sposób, dlatego nie zostało przekazane dalej.",
    ),
    blocked: ("Odmowa dostępu", "To żądanie zostało odrzucone."),
    no_policy: ("Usługa niedostępna", "Ta usługa obecnie nie przyjmuje żądań."),
    limited: ("Zbyt wiele żądań", "W krótkim czasie nadeszło zbyt wiele żądań."),
    again: ("Spróbuj ponownie za ", "."),
    units: ["s", "min", "godz."],
    reference: "Numer referencyjny",
    quote: "Prosząc o pomoc, podaj ten numer.",
};

static JAPANESE: Words = Words {
    tag: "ja",
    also: &[],
    ambiguous: ("リクエストが不明確です", "このリクエストは複数の意味に解釈できるため、転送されませんでした。"),
    blocked: ("アクセスが拒否されました", "このリクエストは拒否されました。"),
    no_policy: ("利用できません", "このサービスは現在リクエストを受け付けていません。"),
    limited: ("リクエストが多すぎます", "短時間に多数のリクエストがありました。"),
    again: ("", "後にもう一度お試しください。"),
    units: ["秒", "分", "時間"],
    reference: "参照番号",
    quote: "お問い合わせの際は、この番号をお知らせください。",
};

static KOREAN: Words = Words {
    tag: "ko",
    also: &[],
    ambiguous: ("요청이 모호합니다", "이 요청은 두 가지 이상으로 해석될 수 있어 전달되지 않았습니다."),
    blocked: ("접근이 거부되었습니다", "이 요청은 거부되었습니다."),
    no_policy: ("사용할 수 없습니다", "이 서비스는 현재 요청을 받지 않습니다."),
    limited: ("요청이 너무 많습니다", "짧은 시간에 너무 많은 요청이 있었습니다."),
    again: ("", " 후에 다시 시도해 주세요."),
    units: ["초", "분", "시간"],
    reference: "참조 번호",
    quote: "도움을 요청하실 때 이 번호를 알려 주세요.",
};

static HANT: Words = Words {
    tag: "zh-Hant",
    also: &["zh-TW", "zh-HK", "zh-MO"],
    ambiguous: ("請求不明確", "此請求有多種解讀方式，因此未被轉送。"),
    blocked: ("存取遭拒", "此請求已被拒絕。"),
    no_policy: ("服務無法使用", "此服務目前不接受請求。"),
    limited: ("請求過多", "短時間內的請求過多。"),
    again: ("請在 ", "後再試。"),
    units: ["秒", "分鐘", "小時"],
    reference: "參考編號",
    quote: "尋求協助時，請提供此編號。",
};

static HANS: Words = Words {
    tag: "zh-Hans",
    also: &["zh"],
    ambiguous: ("请求不明确", "此请求有多种解读方式，因此未被转发。"),
    blocked: ("访问被拒绝", "此请求已被拒绝。"),
    no_policy: ("服务不可用", "此服务目前不接受请求。"),
    limited: ("请求过多", "短时间内的请求过多。"),
    again: ("请在 ", "后重试。"),
    units: ["秒", "分钟", "小时"],
    reference: "参考编号",
    quote: "寻求帮助时，请提供此编号。",
};
