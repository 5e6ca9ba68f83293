namespace Fairlead.Daemon.Names;

/// <summary>
/// Public top-level domains that people name namespaces after. A name such as <c>api.dev</c> then hides a site of the Internet (and without
/// us the site would answer in its place). From the IANA root zone: those that read like a team, an environment or a piece of software.
/// All two-letter domains are country codes (ISO 3166-1) and taken or reserved, so two letters suffice.
/// </summary>
internal static class PublicDomains
{
    private static readonly HashSet<string> TopLevel =
    [
        "academy", "accountant", "agency", "app", "art", "audio", "auction", "auto", "bank", "bid", "bike", "bio", "biz", "blog",
        "boutique", "broker", "build", "business", "buy", "cab", "cafe", "call", "cam", "camera", "capital", "car", "cards", "care", "career", "cars",
        "casa", "case", "cash", "center", "channel", "chat", "city", "claims", "click", "clinic", "cloud", "club", "coach", "codes", "coffee", "com",
        "community", "company", "computer", "consulting", "contact", "cool", "coupon", "credit", "data", "date", "deal", "delivery", "design", "dev",
        "digital", "direct", "directory", "docs", "domains", "download", "drive", "earth", "education", "email", "energy", "engineer", "events",
        "exchange", "expert", "express", "farm", "fashion", "feedback", "finance", "financial", "fit", "flights", "food", "forum", "foundation", "fun",
        "fund", "fyi", "gallery", "game", "games", "garden", "gifts", "global", "gold", "graphics", "group", "guide", "health", "help", "here", "home",
        "host", "hosting", "hotel", "house", "how", "inc", "info", "ink", "insurance", "international", "jobs", "kids", "land", "law", "lease", "legal",
        "life", "link", "live", "loan", "loans", "ltd", "management", "map", "market", "marketing", "markets", "media", "meet", "menu", "mobile", "moda",
        "money", "movie", "music", "name", "net", "network", "news", "now", "one", "online", "open", "org", "page", "partners", "parts", "party", "pay",
        "photo", "photos", "phone", "pics", "pictures", "place", "play", "plus", "press", "prime", "pro", "productions", "prod", "properties", "pub",
        "realty", "recipes", "red", "rent", "repair", "report", "review", "reviews", "rip", "rocks", "room", "run", "safe", "sale", "save", "school",
        "science", "search", "secure", "security", "services", "shop", "shopping", "show", "site", "social", "software", "solutions", "space", "sport",
        "spot", "storage", "store", "stream", "studio", "study", "support", "systems", "tax", "team", "tech", "technology", "theater", "tickets",
        "tips", "today", "tools", "top", "tours", "town", "trade", "trading", "training", "travel", "university", "video", "vision", "vote", "watch",
        "website", "wiki", "win", "work", "works", "world", "xyz", "zone",
    ];

    /// <param name="name">Any name; only two-label names can be hidden by accident.</param>
    public static bool Shadow(string name)
    {
        var dot = name.IndexOf('.');
        return dot > 0 && name.IndexOf('.', dot + 1) < 0 && IsTopLevel(name[(dot + 1)..]);
    }

    private static bool IsTopLevel(string label) => (label.Length == 2 && label.All(char.IsAsciiLetterLower)) || TopLevel.Contains(label);
}
