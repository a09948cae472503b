"""Words: what the pages say, in English and Japanese; the reasons why a mail was not sent, in families."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

LANGUAGES = ("en", "ja")

WORDS: dict[str, tuple[str, str]] = {
    "products": ("Products", "商品"),
    "product": ("Product", "商品"),
    "enrolled": ("Enrolled", "参加"),
    "enrolled_now": ("{number} under way", "進行中 {number}"),
    "accepted": ("Sent", "送信"),
    "planned": ("Planned", "送信予定"),
    "not_sent": ("Not sent", "送信せず"),
    "refused": ("Refused", "拒否"),
    "unknown": ("Unknown", "到達不明"),
    "qualified": ("Qualified", "見込み確定"),
    "handed_off": ("Handed off", "引き渡し"),
    "sales_accepted": ("Taken on by sales", "営業着手"),
    "won": ("Won", "受注"),
    "revenue": ("Revenue", "受注額"),
    "people": (
        "Enrolled counts enrollments; sent counts mails that the provider took.",
        "参加は延べ人数、送信は配信サービスが受け付けた通数です。",
    ),
    "mails": ("Mails of the last {days} days", "直近 {days} 日間のメール"),
    "a_day": ("Sent a day", "一日ごとの送信"),
    "delivered": ("Delivered", "配信"),
    "bounced": ("Bounced", "不達"),
    "opened": ("Opened", "開封"),
    "clicked": ("Clicked", "クリック"),
    "replied": ("Replied", "返信"),
    "unsubscribed": ("Unsubscribed", "配信停止"),
    "complained": ("Complained", "苦情"),
    "mails_note": (
        "Each column counts what happened within these days, once a mail; opens and clicks are those of people, not of "
        "machines.",
        "それぞれ、この期間に起きた数をメール一通につき一回と数えます。開封とクリックは人によるものだけです。",
    ),
    "chart": ("{product}: {number} mails sent", "{product}: {number} 通"),
    "runs": ("Latest runs", "最近の実行"),
    "run": ("Run", "実行"),
    "kind": ("Kind", "種類"),
    "as_of": ("As of", "基準時刻"),
    "begun": ("Begun", "開始"),
    "took": ("Took", "所要"),
    "running": ("not ended", "未終了"),
    "seconds": ("{number} s", "{number} 秒"),
    "runs_note": (
        "Whether each task of a run went well, Airflow shows.",
        "各タスクの成否は Airflow の画面に出ます。",
    ),
    "shared": ("all products", "全商品"),
    "broken": (
        "Its definition is broken: `nurture check` says where.",
        "定義に誤りがあります。`nurture check` が場所を示します。",
    ),
    "nothing_run": ("Nothing has run yet.", "まだ実行されていません。"),
    "nothing_sent": ("No mail in these days.", "この期間の送信はありません。"),
    "nothing_readable": (
        "There is no product whose DAG you may read.",
        "閲覧できる商品がありません。",
    ),
    "more": ("other reasons {number}", "ほか {number}"),
    "moment": ("As it stood at {moment}", "{moment} 現在"),
    "silent": (
        "The database of Nurture does not answer. Airflow itself is well; try again in a moment.",
        "Nurture のデータベースが応答しません。少し待ってから、もう一度開いてください。",
    ),
    # One lead's story: `nurture explain`.
    "story": ("lead {lead_id}", "見込み客 {lead_id}"),
    "also_known_as": ("also lead {ids}, found to be the same person", "{ids} も同じ方です"),
    "joined_as": ("lead {merged} joined lead {survivor}: {reason}", "{merged} を {survivor} に統合: {reason}"),
    "undone": ("undone {day}", "{day} に取り消し"),
    "stands": ("stands with the product at: {place}", "この商品での位置: {place}"),
    "met": ("Where we met", "出会い"),
    "permission": ("Permission", "配信の許諾"),
    "no_consent": ("no evidence of consent: no mail goes out", "許諾の記録がなく、メールは送られません"),
    "refused_cell": ("refused {cell} ({how})", "{cell} を停止（{how}）"),
    "refusal_ended": ("until {day}", "{day} に解除"),
    "suppressed": ("{address} must not be mailed: {reason}", "{address} には送信禁止: {reason}"),
    "segments": ("Segments", "セグメント"),
    "member_since": ("in since {day}", "{day} から対象"),
    "member_until": ("was in, {spans}", "以前に対象（{spans}）"),
    "never_member": ("never in", "対象になったことはない"),
    "next_run_joins": ("meets the condition: the next run takes them in", "条件を満たすので、次の実行で加わる"),
    "next_run_leaves": ("no longer meets the condition: the next run ends it", "条件から外れたので、次の実行で外れる"),
    "condition:all": ("every one of", "すべて"),
    "condition:any": ("one at least of", "いずれか"),
    "condition:none": ("not one of", "どれでもない"),
    "known": ("is: {value}", "実際: {value}"),
    "scenarios": ("Scenarios", "シナリオ"),
    "walks": ("since {since}, at {step} since {step_at}", "{since} に参加、{step_at} から {step}"),
    "walked": ("{since} to {until}: {reason}", "{since} から {until}: {reason}"),
    "held_out": ("held out: walks unsent, to be compared with", "比較のため送らずに進む"),
    "mails_of_lead": ("Mails", "メール"),
    "because": ("because {reason}", "理由: {reason}"),
    "sent": ("sent {at}", "{at} 送信"),
    "due": ("due {at}", "{at} 予定"),
    "not_sent_because": ("not sent: {reason}", "送らず: {reason}"),
    "waited": ("{at} not now: {reason}, until {until}", "{at} 見送り: {reason}、{until} まで"),
    "nobody_knows": ("nobody knows whether it was taken", "届いたか分からない"),
    "did": ("What they did", "行動"),
    "score": ("Score {score} = fit {fit} + engagement {engagement}", "スコア {score} = 属性 {fit} + 行動 {engagement}"),
    "so": ("yes", "該当"),
    "not_so": ("no", "非該当"),
    "not_scored": ("Not scored yet; the rules would give", "まだ採点されていません。規則による点"),
    "score_of": ("as of {at}", "{at} 現在"),
    "score_line": ("{times} times, last {day}", "{times} 回、最後は {day}"),
    "bounded": ("at most {number}", "上限 {number}"),
    "sales": ("Sales", "営業"),
    "condition_for_sales": ("ready when", "引き渡しの条件"),
    "was_ready": ("ready {day} with score {score}", "{day} スコア {score} で見込み確定"),
    "handed": ("to {crm} {day}", "{day} {crm} へ引き渡し"),
    "returned": ("returned {day}: {reason}", "{day} 差し戻し: {reason}"),
    "nothing": ("nothing", "なし"),
    "proof": ("Proof of mail {number}", "メール {number} の証跡"),
    "definition": ("Definition", "定義"),
    "content": ("Content", "本文"),
    "consent": ("Consent", "許諾"),
    "request": ("Request", "送信要求"),
    "became": ("What became of it", "その後"),
    "reason": ("Why this lead", "選ばれた理由"),
    "visited": ("Visited", "閲覧"),
    "submitted": ("Submitted", "フォーム送信"),
    "attended": ("Attended", "参加"),
    "basis:consent": ("consent", "同意"),
    "basis:business_card": ("business card", "名刺"),
    "basis:published_address": ("published address", "公表されたアドレス"),
    "basis:existing_customer": ("existing customer", "取引先"),
    "kind:history": ("history", "履歴"),
    "kind:scheduled": ("scheduled", "定期"),
    "kind:manual": ("by hand", "手動"),
    "kind:backfill": ("backfill", "再計算"),
    "kind:asset_triggered": ("by an asset", "アセット"),
}

# The reasons that dispatch and journeys write, as the beginning of each; one that is not here is shown as it is.
REASONS: dict[str, tuple[str, str]] = {
    "expired": ("too late", "送信期限切れ"),
    "no consent": ("no consent", "同意がない"),
    "same mailbox": ("same mailbox", "同じ宛先"),
    "suppressed": ("suppressed address", "送信禁止の宛先"),
    "opted out": ("opted out", "配信停止の希望"),
    "opted_out": ("opted out", "配信停止の希望"),
    "excluded": ("excluded by the company", "会社の除外リスト"),
    "cannot be mailed": ("bad address", "送信できない宛先"),
    "qualified": ("went to sales", "営業へ引き渡し済み"),
    "settled by a person": ("a person's decision", "人の判断"),
    "merged": ("merged lead", "統合された見込み客"),
    "converted": ("bought already", "すでに受注"),
    "withdrawn": ("scenario withdrawn", "シナリオの取り下げ"),
    "left_segment": ("left the segment", "対象から外れた"),
    "frequency cap": ("frequency cap", "頻度の上限"),
    "outside business hours": ("out of hours", "営業時間外"),
    "daily budget": ("daily budget", "一日の上限"),
    "enough people of the company": ("enough people of a company", "一社あたりの人数の上限"),
    "consent lapsed": ("consent lapsed", "同意の期限切れ"),
    "sent before the restore": ("sent before a restore", "復元前に送信済み"),
    "awaiting approval": ("awaits approval", "承認待ち"),
    "not approved": ("not approved", "承認されなかった"),
    "held": ("sending is held", "送信を停止中"),
}


class Words:
    """The words of one language."""

    def __init__(self, language: str) -> None:
        """Take a language of `LANGUAGES`."""
        self.language = language
        self._column = LANGUAGES.index(language)

    def __call__(self, name: str, **values: Any) -> str:
        """Return a word or sentence with its blanks filled; an unknown name is an error of ours."""
        return WORDS[name][self._column].format(**values)

    def kind(self, kind: str) -> str:
        """Return what a kind of run is called."""
        return self(f"kind:{kind}") if f"kind:{kind}" in WORDS else kind

    def reasons(self, rows: Iterable[Mapping[str, Any]], most: int = 3) -> list[str]:
        """Return the most frequent reasons of `rows` in words with their numbers; the others as one number."""
        counted: dict[str, int] = {}
        for row in rows:
            reason = self.reason(row["reason"])
            counted[reason] = counted.get(reason, 0) + row["messages"]
        ordered = sorted(counted.items(), key=lambda pair: -pair[1])
        told = [f"{reason} {number:,}" for reason, number in ordered[:most]]
        others = sum(number for _, number in ordered[most:])
        return [*told, self("more", number=f"{others:,}")] if others else told

    def reason(self, reason: str) -> str:
        """Return a reason as its family is called; one that is not known is shown as it is."""
        found = next((words for start, words in REASONS.items() if reason.startswith(start)), None)
        return found[self._column] if found else reason


def language_of(accepted: str) -> str:
    """Return the language that an Accept-Language header prefers among ours; English when it names neither."""
    wished: list[tuple[float, str]] = []
    for part in accepted.split(","):
        found = re.fullmatch(r"\s*([A-Za-z]{1,8})(?:-[\w-]+)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*", part)
        if found and found[1].lower() in LANGUAGES:
            wished.append((float(found[2] or 1), found[1].lower()))
    best = max(wished, key=lambda pair: pair[0], default=(0.0, "en"))
    return best[1] if best[0] > 0 else "en"
