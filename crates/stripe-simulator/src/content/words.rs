//! Words that generated objects are made of: JSON string contents, unusual but legal ones among them.

/// Expands to `{{pick@key:…}}` placeholders by name.
pub(crate) fn expand(name: &str) -> Option<&'static str> {
    Some(match name {
        "name" => {
            "{{pick@first:Jenny|José|Zoë|Søren|Aiko|李|Fatima|Olu|Anne-Marie|Björk|Noah|Mia|Siobhán|Łukasz}} \
             {{pick@last:Rosen|Núñez|O'Brien|Kierkegaard|Tanaka|小龍|al-Fihri|Adébáyò|d’Orléans|\\\"Z\\\" Smith|Müller}}"
        }
        "email" => {
            "{{pick@first:jenny|jose|zoe|soren|aiko|li|fatima|olu|anne|bjork|noah|mia|siobhan|lukasz}}.{{digits@mail:5}}@{{pick@mail:example.com|example.org|mail.example.net}}"
        }
        "phone" => "+1{{digits@phone:10}}",
        "city" => "{{pick@city:San Francisco|München|São Paulo|東京|Kraków|Montréal|Dublin|Lagos|Reykjavík}}",
        "country" => "{{pick@country:US|DE|BR|JP|PL|CA|IE|NG|IS}}",
        "street" => {
            "{{digits@house:3}} {{pick@street:Market Street|Sendlinger Straße|Avenida Paulista|ul. Długa|Rue Saint-Denis|O'Connell St}}"
        }
        "postcode" => "{{digits@postcode:5}}",
        "state" => "{{pick@state:CA|BY|SP|QC|}}",
        "currency" => "{{pick@currency:usd|usd|usd|eur|eur|gbp|jpy}}",
        "amount" => "{{int@amount:50-500000}}",
        "business" => {
            "{{pick@business:Rocket Rides|Smörgåsbord AB|Café \\u00c9toile|Ünïcode & Söhne|Tea\\/Time|日本酒店}}"
        }
        "sentence" => {
            "{{pick@sentence:Monthly plan|First \\\"test\\\" order\\nsecond line|Spende für Flüsse|Ünïcødé ☕ beans|Back\\\\slash and tab\\t.|注文 #42 🎉|Subscription update|Refund of a duplicate}}"
        }
        "address" => {
            "{\"city\":\"{{city}}\",\"country\":\"{{country}}\",\"line1\":\"{{street}}\",\"line2\":null,\"postal_code\":\"{{postcode}}\",\"state\":\"{{state}}\"}"
        }
        "metadata" => {
            "{{pick@metadata:{}|{\"order_id\":\"6735\"}|{\"note\":\"Grüße 👋\",\"tier\":\"gold\"}|{\"internal_id\":\"9007199254740993\",\"quote\":\"\\\"'\\\\\"}|{}|{\"plan\":\"pro\",\"seats\":\"12\",\"sales_rep\":\"Zoë\"}}}"
        }
        _ => return None,
    })
}
